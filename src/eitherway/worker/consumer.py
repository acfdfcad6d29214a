"""The receive loop: takes as many jobs as the limits allow, and starts an attempt for each."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from ..attempt.runtime import Runtime
from ..engine.values import Delivery, Demand
from ..errors import EngineError
from ..operation import Operation
from .attempts import QueuedAttempt
from .leases import Held, LeaseKeeper

logger = logging.getLogger("eitherway.worker")

_RECEIVE_MAX = 100
_IDLE_SECONDS = 20.0
_ENGINE_PAUSE_SECONDS = 1.0


@dataclass(frozen=True)
class _VainHint:
    """A hint without a job: another worker was faster, or only newer versions wait.

    The longer it goes on, the longer we look away, so that it never becomes a busy loop.
    """

    pause_seconds: float = 0.005
    until: float = 0.0

    def again(self, now: float) -> _VainHint:
        pause = min(self.pause_seconds * 2, _ENGINE_PAUSE_SECONDS)
        return _VainHint(pause, now + pause)


class Consumer:
    """Receives jobs of all operations. With `alone`: suspects only, one at a time."""

    def __init__(self, runtime: Runtime, leases: LeaseKeeper, *, alone: bool = False) -> None:
        self._runtime = runtime
        self._leases = leases
        self._alone = alone
        self._operations = runtime.worked
        self._vain: dict[str, _VainHint] = {}
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Take nothing more; `run` returns once what was just received has been started."""
        self._stopping.set()

    async def run(self) -> None:
        """Receive until stopped; attempts that were started go on."""
        while not self._stopping.is_set():
            self._runtime.turned = self._runtime.clock.now()
            try:
                await self.receive_once(_IDLE_SECONDS)
            except EngineError as error:
                logger.warning("cannot receive: %s", error)
                await self._runtime.clock.sleep(_ENGINE_PAUSE_SECONDS)

    async def receive_once(self, wait_seconds: float) -> int:
        """Wait for jobs that there is room for, start them, and say how many."""
        freed = self._runtime.limiter.freed()  # taken before looking, so that none is missed
        now = self._runtime.clock.now()
        open_for = [operation for operation in self._operations if self._has_room(operation, now)]
        pause = self._pause_seconds(open_for, wait_seconds, now)
        if not open_for:
            await self._interruptible(self._runtime.clock.wait(freed, pause))
            return 0
        demands = [demand(operation, 1, alone=self._alone) for operation in open_for]
        ready = self._runtime.engine.ready(demands, pause)
        names = await self._interruptible(ready, freed)
        if not names:
            return 0
        # the first in line changes, so that operations that share a limit take turns
        self._operations.append(self._operations.pop(0))
        return await self._receive([o for o in self._operations if o.name in names])

    def _has_room(self, operation: Operation, now: float) -> bool:
        if operation.name in self._vain and self._vain[operation.name].until > now:
            return False
        if self._alone and len(self._leases):
            return False
        return self._runtime.limiter.room(operation, now) > 0

    def _pause_seconds(
        self, open_for: Sequence[Operation], wait_seconds: float, now: float
    ) -> float:
        """How long to wait at most: a rate may give room to a closed operation before."""
        waits = [wait_seconds]
        for operation in self._operations:
            if operation not in open_for:
                waits.append(self._runtime.limiter.retry_after_seconds(operation) or wait_seconds)
                if operation.name in self._vain:
                    waits.append(self._vain[operation.name].until - now)
        return max(0.0, min(waits))

    async def _interruptible(
        self, wish: Coroutine[Any, Any, Any], *others: asyncio.Future[Any]
    ) -> Any:
        """What `wish` gives, or None when stopped, or one of `others` is done, before it.

        `wish` must be safe to cancel.
        """
        task = asyncio.ensure_future(wish)
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({task, stopping, *others}, return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else None
        finally:
            for pending in (task, stopping):
                pending.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await pending

    async def _receive(self, operations: Sequence[Operation]) -> int:
        granted: dict[str, int] = {}
        for operation in operations:
            count = 1 if self._alone else _RECEIVE_MAX
            granted[operation.name] = self._runtime.limiter.acquire(operation, count)
            if self._alone and granted[operation.name]:
                break
        demands = [
            demand(operation, granted[operation.name], alone=self._alone)
            for operation in operations
            if granted.get(operation.name)
        ]
        deliveries: Sequence[Delivery] = ()
        try:
            if demands:
                deliveries = await self._runtime.engine.receive(demands)
        finally:
            received = [delivery.job.operation for delivery in deliveries]
            for operation in operations:
                unused = granted.get(operation.name, 0) - received.count(operation.name)
                if unused:
                    self._runtime.limiter.release(operation, unused, unused=True)
        self._note_vain_hints(demands, set(received))
        for delivery in deliveries:
            self._start(delivery)
        return len(deliveries)

    def _note_vain_hints(self, demands: Sequence[Demand], received: set[str]) -> None:
        now = self._runtime.clock.now()
        for demand in demands:
            vain = self._vain.pop(demand.operation, _VainHint())
            if demand.operation not in received:
                self._vain[demand.operation] = vain.again(now)

    def _start(self, delivery: Delivery) -> None:
        operation = self._runtime.operations.named(delivery.job.operation)
        if operation is None:
            raise LookupError(f"{delivery.job.operation} was not in the demand")
        held = Held(delivery.lease, operation, self._runtime.clock.now())
        attempt = QueuedAttempt(self._runtime, operation, delivery, held)
        held.task = asyncio.create_task(attempt.run(), name=f"job-{delivery.job.id}")
        held.task.add_done_callback(lambda _: self._ended(held))
        self._leases.add(held)

    def _ended(self, held: Held) -> None:
        self._leases.drop(held)
        if not held.task.cancelled() and (error := held.task.exception()) is not None:
            logger.error("job %s is left to its lease", held.lease.job_id, exc_info=error)
        thread = held.context.thread if held.context else None
        self._runtime.limiter.release_after(held.operation, thread)


def demand(operation: Operation, count: int, *, alone: bool) -> Demand:
    """A wish for `count` jobs of an operation, as this process knows it."""
    return Demand(
        operation=operation.name,
        version_max=operation.version,
        count=count,
        lease_seconds=operation.lease_seconds,
        alone=alone,
    )

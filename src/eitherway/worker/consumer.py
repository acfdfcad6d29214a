"""The receive loop: takes as many jobs as the limits allow, and starts an attempt for each."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections import Counter
from collections.abc import Collection, Coroutine, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from ..attempt.leases import LeaseKeeper
from ..attempt.runtime import Runtime
from ..engine.values import Demand
from ..errors import EngineError
from ..operation import Operation
from .attempts import Attempts

logger = logging.getLogger("eitherway.worker")

_RECEIVE_MAX = 200
_HELD_MAX = 1000
_COUNT_SECONDS = 1.0
_IDLE_SECONDS = 20.0
_ENGINE_PAUSE_SECONDS = 1.0
_VAIN_SECONDS_MAX = 0.05
_OPERATION = attrgetter("job.operation")

_TURNS = 3
"""Of the loop: in the first of them short jobs end, in the third a claim goes with their ends."""

_LOOK_SECONDS = 0.05
"""How long the jobs of one operation, short ones, may keep a worker from a look at the others."""


@dataclass(frozen=True)
class _VainHint:
    """A hint without a job: another worker was faster, or only newer versions wait.

    The longer it goes on, the longer we look away, so that it never becomes a busy loop.
    """

    pause_seconds: float = 0.005
    until: float = 0.0

    def again(self, now: float) -> _VainHint:
        pause = min(self.pause_seconds * 2, _VAIN_SECONDS_MAX)
        return _VainHint(pause, now + pause)


class Consumer:
    """Receives jobs of all operations. With `alone`: suspects only, one at a time."""

    def __init__(self, runtime: Runtime, leases: LeaseKeeper, *, alone: bool = False) -> None:
        self._runtime = runtime
        self._leases = leases
        self._alone = alone
        self._operations = runtime.worked
        self._vain: dict[str, _VainHint] = {}
        self._full: set[str] = set()  # operations whose last claim gave all that was asked for
        self.attempts = Attempts(runtime, leases, alone=alone)
        self._stopping: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._workers = 1
        self._counted_at = -math.inf
        self._looked_at = -math.inf

    def stop(self) -> None:
        """Take nothing more; `run` returns once what was just received has been started."""
        if not self._stopping.done():
            self._stopping.set_result(None)
        self.attempts.batches.close()

    async def run(self) -> None:
        """Receive until stopped; attempts that were started go on."""
        while not self._stopping.done():
            self._runtime.turned = self._runtime.clock.monotonic()
            try:
                await self.receive_once(_IDLE_SECONDS)
            except EngineError as error:
                logger.warning("cannot receive: %s", error)
                await self._runtime.clock.sleep(_ENGINE_PAUSE_SECONDS)

    async def receive_once(self, wait_seconds: float) -> int:
        """Wait for jobs that there is room for, start them, and say how many."""
        now = self._runtime.clock.monotonic()
        freed = self._leases.freed()  # taken before looking, so that none is missed
        changed = self._runtime.limiter.changed()
        open_for = [operation for operation in self._operations if self._has_room(operation, now)]
        pause = self._pause_seconds(wait_seconds, now)
        if not open_for:
            await self._interruptible(self._runtime.clock.wait(freed, pause))
            return 0
        names = await self._names(open_for, changed, pause)
        if not names or self._stopping.done():  # what was just given back is for others
            return 0
        # the first in line changes, so that operations that share a limit take turns
        self._operations.append(self._operations.pop(0))
        return await self._receive([one for one in self._operations if one.name in names])

    async def _names(
        self, open_for: Sequence[Operation], changed: asyncio.Future[None], pause: float
    ) -> Collection[str]:
        """Of these operations, those whose jobs may be received."""
        full = self._full.intersection(operation.name for operation in open_for)
        if not full:
            return await self._interruptible(self._ready(open_for, pause), changed) or ()
        # more may wait for the places of those that end: a claim goes with their ends
        ended = self._runtime.settler.ended()
        soon = self._looked_at + _LOOK_SECONDS > self._runtime.clock.monotonic()
        turns = _TURNS if soon or len(full) == len(open_for) else 0
        ready = self._ready(open_for, pause, after_turns=turns)
        names = await self._interruptible(ready, changed, ended)
        return names or (full if ended.done() else ())

    async def _ready(
        self, open_for: Sequence[Operation], pause: float, *, after_turns: int = 0
    ) -> Sequence[str]:
        for _ in range(after_turns):
            await asyncio.sleep(0)
        self._looked_at = self._runtime.clock.monotonic()
        return await self._runtime.engine.ready([self._demand(one, 1) for one in open_for], pause)

    def _has_room(self, operation: Operation, now: float) -> bool:
        """Whether this process has: what the limits leave is the engine's to say."""
        if operation.name in self._vain and self._vain[operation.name].until > now:
            return False
        return len(self._leases) < (1 if self._alone else _HELD_MAX)

    def _pause_seconds(self, wait_seconds: float, now: float) -> float:
        """How long to wait at most: until the next operation is worth another look."""
        waits = [vain.until - now for vain in self._vain.values() if vain.until > now]
        return max(0.0, min([wait_seconds, *waits]))

    async def _interruptible(
        self, wish: Coroutine[Any, Any, Any], *others: asyncio.Future[Any]
    ) -> Any:
        """What `wish` gives, or None when stopped, or one of `others` is done, before it.

        `wish` must be safe to cancel.
        """
        task = asyncio.ensure_future(wish)
        try:
            await asyncio.wait({task, self._stopping, *others}, return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else None
        finally:
            task.cancel()
            if self._stopping.done():  # else no turn is spent: the claim goes with what settles
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    async def _receive(self, operations: Sequence[Operation]) -> int:
        if self._alone:
            operations = operations[:1]
        workers = await self._count_workers()
        room = _HELD_MAX - len(self._leases)
        demands = []
        for operation in operations:
            count = min(room, self._count(operation, workers))
            if count > 0:
                demands.append(self._demand(operation, count))
                room -= count
        deliveries = await self._runtime.engine.receive(demands)
        self._note(demands, Counter(map(_OPERATION, deliveries)))
        self.attempts.start(deliveries)
        return len(deliveries)

    def _count(self, operation: Operation, workers: int) -> int:
        """How many jobs to ask for at once: not all that the limits leave, where others ask too."""
        if self._alone:
            return 1
        rules = self._runtime.limiter.rules(operation)
        wanted = max(_RECEIVE_MAX, operation.batch_max or 0)
        # A keyed limit does not bound it: each of many keys has room of its own.
        shared = [rule.in_flight for rule in rules if rule.in_flight and not rule.keyed]
        most = min(shared, default=wanted)
        return min(wanted, most if workers < 2 else math.ceil(most / (2 * workers)))

    async def _count_workers(self) -> int:
        now = self._runtime.clock.monotonic()
        if now >= self._counted_at + _COUNT_SECONDS:
            self._counted_at = now
            self._workers = await self._runtime.engine.workers() or 1
        return self._workers

    def _demand(self, operation: Operation, count: int) -> Demand:
        return demand(self._runtime, operation, count, alone=self._alone)

    def _note(self, demands: Sequence[Demand], received: Counter[str]) -> None:
        """What a claim gave: all that was asked for, some, or nothing in spite of a hint."""
        now = self._runtime.clock.monotonic()
        for demand in demands:
            name, count = demand.operation, received[demand.operation]
            vain = self._vain.pop(name, _VainHint())
            if count == 0 and name not in self._full:
                self._vain[name] = vain.again(now)
            self._full.discard(name)
            if count >= demand.count:
                self._full.add(name)


def demand(runtime: Runtime, operation: Operation, count: int, *, alone: bool) -> Demand:
    """A wish for `count` jobs of an operation, as this process knows it."""
    return Demand(
        operation=operation.name,
        version_max=operation.version,
        count=count,
        lease_seconds=operation.lease_seconds,
        alone=alone,
        limits=runtime.limiter.rules(operation),
    )

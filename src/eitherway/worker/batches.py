"""Batches: deliveries of an operation, gathered for as long as it allows, then run as one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..attempt.leases import Held
from ..attempt.runtime import Runtime
from ..engine.values import Delivery
from ..operation import Operation
from .batch_attempts import QueuedBatch


class _Gathering:
    """A batch that waits for company."""

    def __init__(self, batch: QueuedBatch) -> None:
        self.batch = batch
        self.started: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.company: list[Held] = []
        self.task: asyncio.Task[None]

    def end(self, *, start: bool) -> None:
        if not self.started.done():
            self.started.set_result(start)


class Batches:
    """Gathers deliveries of batch operations, and runs what is full or has waited enough.

    `release` is called once for each, when it is settled or left to its lease. With `alone`, each
    is a batch of its own.
    """

    def __init__(self, runtime: Runtime, release: Callable[[Held], None], *, alone: bool) -> None:
        self._runtime = runtime
        self._release = release
        self._alone = alone
        self._gatherings: dict[str, _Gathering] = {}
        self._closed = False

    def add(self, held: Held, delivery: Delivery) -> None:
        """Take a delivery in; it waits at most the operation's `batch_wait_seconds`."""
        operation = held.operation
        gathering = self._gatherings.get(operation.name) or self._begin(operation)
        gathering.batch.add(held, delivery)
        gathering.company.append(held)
        held.task, held.company = gathering.task, gathering.company
        full = self._alone or len(gathering.company) >= (operation.batch_max or 1)
        if full or self._closed:
            self._end(gathering, start=not self._closed)

    def flush(self) -> None:
        """Run now what was gathered."""
        for gathering in list(self._gatherings.values()):
            self._end(gathering, start=True)

    def close(self) -> None:
        """Begin no more: give back what was gathered, and what still comes."""
        self._closed = True
        for gathering in list(self._gatherings.values()):
            self._end(gathering, start=False)

    def _begin(self, operation: Operation) -> _Gathering:
        gathering = _Gathering(QueuedBatch(self._runtime, operation, self._release))
        gathering.task = asyncio.create_task(self._run(gathering), name=f"batch-{operation.name}")
        gathering.task.add_done_callback(gathering.batch.ended)
        self._gatherings[operation.name] = gathering
        return gathering

    def _end(self, gathering: _Gathering, *, start: bool) -> None:
        """Gather nothing more."""
        gathering.end(start=start)
        name = gathering.batch.operation.name
        if self._gatherings.get(name) is gathering:
            del self._gatherings[name]

    async def _run(self, gathering: _Gathering) -> None:
        batch = gathering.batch
        try:
            await self._runtime.clock.wait(gathering.started, batch.operation.batch_wait_seconds)
        except asyncio.CancelledError:
            self._end(gathering, start=False)
        else:
            self._end(gathering, start=True)
        await (batch.run() if gathering.started.result() else batch.give_back())

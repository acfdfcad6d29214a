"""`backlog_max`: no more jobs of an operation are accepted while too many of them wait."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field

from ..engine.contract import Engine
from ..engine.values import NewJob
from ..errors import BacklogFullError
from ..operation import Operation

_RETRY_AFTER_SECONDS = 1.0


@dataclass
class _UnderWay:
    """The accepts of one operation that this process began, and has not seen the end of."""

    begun: int = 0
    ended: int = 0
    _end: asyncio.Event = field(default_factory=asyncio.Event)

    def end(self) -> None:
        self.ended += 1
        self._end.set()
        self._end = asyncio.Event()

    async def next_end(self) -> None:
        if self.begun > self.ended:
            await self._end.wait()


class Backlog:
    """Accepts jobs, as long as an operation's waiting ones are below its `backlog_max`.

    Exact for the accepts of one process; those that other processes have under way are not known.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._under_way: defaultdict[str, _UnderWay] = defaultdict(_UnderWay)

    async def accept(self, operation: Operation, job: NewJob) -> None:
        """Store a job, durably on return. `BacklogFullError`, and nothing is stored."""
        if operation.backlog_max is None:
            await self._engine.accept([job])
            return
        under_way = self._under_way[operation.name]
        await self._hold_place(operation.name, operation.backlog_max, under_way)
        accepting = asyncio.ensure_future(self._engine.accept([job]))
        accepting.add_done_callback(lambda _: under_way.end())
        await asyncio.shield(accepting)  # who is cancelled here has not taken it back

    async def _hold_place(self, name: str, most: int, under_way: _UnderWay) -> None:
        """Return with an accept begun, for which there is room."""
        while True:
            ended = under_way.ended
            (waiting,) = await self._engine.waiting([name])
            if waiting >= most:
                raise BacklogFullError(
                    f"{most} jobs of {name} wait already; nothing was stored, send it again later",
                    _RETRY_AFTER_SECONDS,
                )
            # Some of these may be among the waiting ones, and some may fail: too many at most.
            if waiting + under_way.begun - ended < most:
                under_way.begun += 1
                return
            await under_way.next_end()

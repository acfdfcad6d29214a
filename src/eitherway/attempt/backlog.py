"""`backlog_max`: no more jobs of an operation are accepted while too many of them wait."""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from dataclasses import dataclass, field

from ..clock import Clock
from ..engine.contract import Engine
from ..engine.values import NewJob
from ..errors import BacklogFullError
from ..operation import Operation

_RETRY_SECONDS_MIN = 1.0
_RETRY_SECONDS_MAX = 60.0


@dataclass
class _Accepts:
    """Those of one operation in this process: how many began, how many of these have ended."""

    begun: int = 0
    ended: int = 0
    _end: asyncio.Event = field(default_factory=asyncio.Event)
    _since: float = -math.inf  # when places were first looked at, a minute ago at most,
    _begun_then: int = 0  # and what there was then
    _waiting_then: int = 0

    def end(self) -> None:
        self.ended += 1
        self._end.set()
        self._end = asyncio.Event()

    async def next_end(self) -> None:
        if self.begun > self.ended:
            await self._end.wait()

    def retry_after_seconds(self, waiting: int, now: float) -> float:
        """How long it took a place to come free, of late, and at most a minute."""
        if now - self._since > _RETRY_SECONDS_MAX:
            self._since, self._begun_then, self._waiting_then = now, self.begun, waiting
        freed = self.begun - self._begun_then - (waiting - self._waiting_then)
        return max(_RETRY_SECONDS_MIN, (now - self._since) / max(1, freed))


class Backlog:
    """Accepts jobs, as long as an operation's waiting ones are below its `backlog_max`.

    Exact for the accepts of one process; those that other processes have under way are not known.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._accepts: defaultdict[str, _Accepts] = defaultdict(_Accepts)

    async def accept(self, operation: Operation, job: NewJob) -> bool:
        """Store a job, durably on return; False where its id or its key is in use already.

        `BacklogFullError`, and nothing is stored.
        """
        if operation.backlog_max is None:
            (new,) = await self._engine.accept([job])
            return new
        accepts = self._accepts[operation.name]
        await self._begin(operation.name, operation.backlog_max, accepts)
        accepting = asyncio.ensure_future(self._engine.accept([job]))
        accepting.add_done_callback(lambda _: accepts.end())
        (new,) = await asyncio.shield(accepting)  # who is cancelled here has not taken it back
        return new

    async def _begin(self, name: str, most: int, accepts: _Accepts) -> None:
        """Return with an accept begun, for which there is room."""
        while True:
            ended = accepts.ended
            (waiting,) = await self._engine.waiting([name])
            if waiting >= most:
                raise BacklogFullError(
                    f"{most} jobs of {name} wait already; nothing was stored, send it again later",
                    accepts.retry_after_seconds(waiting, self._clock.monotonic()),
                )
            # Of those under way, some may wait already, and some may fail: so this is no refusal.
            if waiting + accepts.begun - ended < most:
                accepts.begun += 1
                return
            await accepts.next_end()

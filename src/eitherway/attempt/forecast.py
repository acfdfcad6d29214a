"""How long a queue is, and how long it will take: looked up once a second, however many ask."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from ..clock import Clock
from ..engine.contract import Engine
from ..errors import EngineError

_LOOK_SECONDS = 1.0
_WINDOW_SECONDS = 60.0
_ENDED_MIN = 10
"""Fewer ends than these, within the window, say nothing about the next one."""


class Outlook(NamedTuple):
    """What is known of a job that waits; None is not known."""

    ahead: int | None = None
    eta_seconds: float | None = None


@dataclass(slots=True)
class _Queue:
    waiting: int = 0
    accepted: int = 0  # by this process, since it was looked up
    ends: deque[tuple[float, int]] = field(default_factory=deque)  # when, and how many by then
    rate: float | None = None  # a second, by the last look
    looked: float = -math.inf  # when that was

    def outlooks(self, count: int = 1) -> list[Outlook]:
        """Of the last ones that wait, in their order."""
        last, rate = max(count, self.waiting + self.accepted), self.rate
        return [
            Outlook(number - 1, None if rate is None else round(number / rate, 1))
            for number in range(last - count + 1, last + 1)
        ]

    def per_second(self) -> float | None:
        """How many jobs end a second of late."""
        (first, before), (last, after) = self.ends[0], self.ends[-1]
        if after - before < _ENDED_MIN or last <= first:
            return None
        return (after - before) / (last - first)


class Forecast:
    """What can be said of the queues of operations, as this process has seen them."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._queues: dict[str, _Queue] = {}

    async def of(self, operation: str, *, accepted: int = 0) -> Outlook:
        """For a job that waits; `accepted` is how many this process has just accepted."""
        queue = self._queue(operation, accepted)
        if not self._is_known(queue):
            try:
                await self._look(operation)
            except EngineError:
                return Outlook()  # nobody is refused for that
        return queue.outlooks()[-1]

    def of_new(self, operation: str, count: int) -> list[Outlook] | None:
        """For jobs that this process has just accepted; None: somebody has to look first, by `of`.

        That one is of no new jobs then.
        """
        queue = self._queue(operation, count)
        return queue.outlooks(count) if self._is_known(queue) else None

    def _queue(self, operation: str, accepted: int) -> _Queue:
        queue = self._queues.get(operation)
        if queue is None:
            queue = self._queues[operation] = _Queue()
        queue.accepted += accepted
        return queue

    def _is_known(self, queue: _Queue) -> bool:
        return self._clock.monotonic() - queue.looked < _LOOK_SECONDS

    async def _look(self, operation: str) -> None:
        now = self._clock.monotonic()
        (flow,) = await self._engine.flow([operation])
        queue = self._queues[operation]
        queue.waiting, queue.accepted, queue.looked = flow.waiting, 0, now
        queue.ends.append((now, flow.ended))
        while queue.ends[0][0] < now - _WINDOW_SECONDS:
            queue.ends.popleft()
        queue.rate = queue.per_second()

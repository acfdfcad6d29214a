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

    def outlook(self) -> Outlook:
        """Of the last one that waits."""
        number = max(1, self.waiting + self.accepted)
        rate = self.rate
        return Outlook(number - 1, None if rate is None else round(number / rate, 1))

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
        outlook = self.at_hand(operation, accepted=accepted)
        if outlook is None:
            try:
                await self._look(operation)
            except EngineError:
                return Outlook()  # nobody is refused for that
            outlook = self._queues[operation].outlook()
        return outlook

    def at_hand(self, operation: str, *, accepted: int = 0) -> Outlook | None:
        """The same, where nobody has to look for it; None: ask `of`, of none that is new."""
        queue = self._queues.get(operation)
        if queue is None:
            queue = self._queues[operation] = _Queue()
        queue.accepted += accepted
        if self._clock.monotonic() - queue.looked >= _LOOK_SECONDS:
            return None
        return queue.outlook()

    async def _look(self, operation: str) -> None:
        now = self._clock.monotonic()
        (flow,) = await self._engine.flow([operation])
        queue = self._queues[operation]
        queue.waiting, queue.accepted, queue.looked = flow.waiting, 0, now
        queue.ends.append((now, flow.ended))
        while queue.ends[0][0] < now - _WINDOW_SECONDS:
            queue.ends.popleft()
        queue.rate = queue.per_second()

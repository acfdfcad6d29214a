"""Limits at work: how many attempts may start now. One `Limiter` a process, both doors alike."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

from ..clock import Clock
from ..operation import Operation
from ..policy import Limit

_BURST_SECONDS = 0.05


class _Gauge:
    """One `Limit`: what of it is taken, and a token bucket for its rate."""

    def __init__(self, limit: Limit, now: float) -> None:
        self._limit = limit
        self._taken = 0
        rate = limit.per_second or 0.0
        self._burst = max(1.0, rate * _BURST_SECONDS)
        self._tokens = self._burst
        self._filled = now

    def room(self, now: float) -> int:
        """Attempts that may start now."""
        room = 2**31 if self._limit.in_flight is None else self._limit.in_flight - self._taken
        if self._limit.per_second is not None:
            gained = max(0.0, now - self._filled) * self._limit.per_second
            self._tokens = min(self._burst, self._tokens + gained)
            self._filled = now
            # the clock's rounding must not cost a whole token
            room = min(room, math.floor(self._tokens + 1e-3))
        return max(0, room)

    def seconds_to_token(self) -> float | None:
        """Until the rate allows a start; None when it is not what holds back."""
        if self._limit.per_second is None or self._tokens >= 1:
            return None
        return (1 - self._tokens) / self._limit.per_second

    def take(self, count: int) -> None:
        self._taken += count
        self._tokens -= count

    def give_back(self, count: int, *, unused: bool) -> None:
        self._taken -= count
        if unused:
            self._tokens += count


class Limiter:
    """Grants starts to operations, over all the limits each of them names."""

    def __init__(self, operations: Sequence[Operation], clock: Clock) -> None:
        self._clock = clock
        self._freed: asyncio.Future[None] | None = None
        gauges: dict[object, _Gauge] = {}
        self._gauges: dict[str, list[_Gauge]] = {}
        for operation in operations:
            keys = {limit.name or id(limit): limit for limit in operation.limits}
            for key, limit in keys.items():
                gauges.setdefault(key, _Gauge(limit, clock.now()))
            self._gauges[operation.name] = [gauges[key] for key in keys]

    def acquire(self, operation: Operation, count: int = 1) -> int:
        """Take up to `count` starts; how many were granted."""
        now = self._clock.now()
        gauges = self._gauges[operation.name]
        granted = min((gauge.room(now) for gauge in gauges), default=count)
        granted = min(granted, count)
        if granted:
            for gauge in gauges:
                gauge.take(granted)
        return granted

    def release(self, operation: Operation, count: int = 1, *, unused: bool = False) -> None:
        """Give starts back: of attempts that ended, or `unused` ones."""
        for gauge in self._gauges[operation.name]:
            gauge.give_back(count, unused=unused)
        if self._freed is not None and not self._freed.done():
            self._freed.set_result(None)

    def room(self, operation: Operation, now: float) -> int:
        """How many starts would be granted at `now`.

        One `now` for all that is looked at together: a rate that gains a start between two looks
        at it would count as closed by the first, and as nothing to wait for by the second.
        """
        return min((gauge.room(now) for gauge in self._gauges[operation.name]), default=2**31)

    def retry_after_seconds(self, operation: Operation) -> float | None:
        """Until a rate allows the operation to start; None when only an ending attempt helps."""
        waits = [gauge.seconds_to_token() for gauge in self._gauges[operation.name]]
        return max((wait for wait in waits if wait is not None), default=None)

    def freed(self) -> asyncio.Future[None]:
        """Done at the next release. Take it before looking for room."""
        if self._freed is None or self._freed.done():
            self._freed = asyncio.get_running_loop().create_future()
        return self._freed

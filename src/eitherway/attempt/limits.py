"""Limits at work: how many attempts may start now. One `Limiter` a process, both doors alike."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..clock import Clock
from ..errors import ConfigurationError
from ..operation import Operation
from ..policy import Limit

_BURST_SECONDS = 0.05


class _Gauge:
    """One `Limit`: what of it is taken, and a token bucket for its rate."""

    def __init__(self, limit: Limit, now: float) -> None:
        self.limit = limit
        self._taken = 0
        self._burst = _burst(limit)
        self._tokens = self._burst
        self._filled = now

    def check_same(self, other: Limit) -> None:
        """Raise `ConfigurationError` where a limit of the same name says something else."""
        if (other.in_flight, other.per_second) != (self.limit.in_flight, self.limit.per_second):
            raise ConfigurationError(
                f"two limits are called {other.name!r} and differ: make one Limit and share it"
            )

    def room(self, now: float) -> int:
        """Attempts that may start now."""
        room = 2**31 if self.limit.in_flight is None else self.limit.in_flight - self._taken
        if self.limit.per_second is not None:
            gained = max(0.0, now - self._filled) * self.limit.per_second
            self._tokens = min(self._burst, self._tokens + gained)
            self._filled = now
            # the clock's rounding must not cost a whole token
            room = min(room, math.floor(self._tokens + 1e-3))
        return max(0, room)

    def adjust(self, limit: Limit, now: float) -> None:
        """Hold another limit from now on; what is taken stays taken."""
        self.room(now)  # what was gained so far was gained at the old rate
        self.limit, self._burst, self._filled = limit, _burst(limit), now
        self._tokens = min(self._burst, self._tokens)

    def seconds_to_token(self) -> float | None:
        """Until the rate allows a start; None when it is not what holds back."""
        if self.limit.per_second is None or self._tokens >= 1:
            return None
        return (1 - self._tokens) / self.limit.per_second

    def take(self, count: int) -> None:
        self._taken += count
        self._tokens -= count

    def give_back(self, count: int, *, unused: bool) -> None:
        self._taken -= count
        if unused:
            self._tokens += count


def _burst(limit: Limit) -> float:
    return max(1.0, (limit.per_second or 0.0) * _BURST_SECONDS)


class Limiter:
    """Grants starts to operations, over all the limits each of them names."""

    def __init__(self, operations: Sequence[Operation], clock: Clock) -> None:
        self._clock = clock
        self._freed: asyncio.Future[None] | None = None
        gauges: dict[object, _Gauge] = {}
        self._by_key = gauges
        self._gauges: dict[str, list[_Gauge]] = {}
        for operation in operations:
            keys = {limit.name or id(limit): limit for limit in operation.limits}
            for key, limit in keys.items():
                gauge = gauges.setdefault(key, _Gauge(limit, clock.now()))
                gauge.check_same(limit)
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
        self._wake()

    def adjust(
        self, name: str, *, in_flight: int | None = None, per_second: float | None = None
    ) -> Limit:
        """Change the limit of this name while it is at work; what is not given stays as it is.

        In this process alone. `LookupError` when no operation names it, `ConfigurationError` for
        numbers that a `Limit` refuses.
        """
        gauge = self._by_key.get(name)
        if gauge is None:
            raise LookupError(f"no limit is named {name!r}")
        limit = replace(
            gauge.limit,
            in_flight=gauge.limit.in_flight if in_flight is None else in_flight,
            per_second=gauge.limit.per_second if per_second is None else per_second,
        )
        gauge.adjust(limit, self._clock.now())
        self._wake()
        return limit

    def _wake(self) -> None:
        if self._freed is not None and not self._freed.done():
            self._freed.set_result(None)

    def release_after(self, operation: Operation, thread: asyncio.Future[Any] | None) -> None:
        """Give a start back, once a plain handler that outlives its attempt has returned."""
        if thread is None or thread.done():
            self.release(operation)
        else:
            thread.add_done_callback(lambda _: self.release(operation))

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

"""Time that moves when it is told to: the conformance kit's clock, and `testing.FakeClock`."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from itertools import count

from ..clock import Clock, Timer

TURNS = 20
"""Turns of the event loop after each timer: enough for what it woke to wake others in turn."""


class VirtualTimer:
    """A pending callback of a `VirtualClock`."""

    def __init__(self, due: float, callback: Callable[[], object]) -> None:
        self.due = due
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        """Drop the callback; a no-op once it ran."""
        self.callback = None


class VirtualClock(Clock):
    """Stands still until `advance`. For one event loop; `now` may be asked from any thread."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._now = now  # as if nobody had ever set it
        self._set_by = 0.0
        self._timers: list[tuple[float, int, VirtualTimer]] = []
        self._order = count()
        self._watchers: list[asyncio.Future[None]] = []

    def now(self) -> float:
        """The time that `advance` has reached."""
        return self._now + self._set_by

    def monotonic(self) -> float:
        """The same, as if nobody had ever set it."""
        return self._now

    @property
    def boot(self) -> str:
        """All virtual clocks are of one."""
        return "virtual"

    def set_by(self, seconds: float) -> None:
        """Set the clock, back or forth: no time passes."""
        self._set_by += seconds

    def call_later(self, delay_seconds: float, callback: Callable[[], object]) -> Timer:
        """Run `callback` once `advance` has passed `delay_seconds`; at once when there are none."""
        if delay_seconds <= 0:
            return asyncio.get_running_loop().call_soon(callback)
        timer = VirtualTimer(self._now + delay_seconds, callback)
        heapq.heappush(self._timers, (timer.due, next(self._order), timer))
        while self._watchers:
            watcher = self._watchers.pop()
            if not watcher.done():
                watcher.set_result(None)
        return timer

    async def advance(self, seconds: float) -> None:
        """Move time on: each timer at its time, in order, and what it wakes before the next one."""
        end = self._now + seconds
        await self.let_run()
        while (timer := self._first()) is not None and timer.due <= end:
            heapq.heappop(self._timers)
            self._now = max(self._now, timer.due)
            callback, timer.callback = timer.callback, None
            if callback is not None:
                callback()
            await self.let_run()
        self._now = end
        await self.let_run()

    async def armed(self) -> None:
        """Return once a timer is pending: whoever was started to wait is waiting now."""
        while self._first() is None:
            watcher: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._watchers.append(watcher)
            await watcher

    async def let_run(self) -> None:
        """Let the event loop run what can run without time passing."""
        for _ in range(TURNS):
            await asyncio.sleep(0)

    def _first(self) -> VirtualTimer | None:
        while self._timers and self._timers[0][2].callback is None:
            heapq.heappop(self._timers)
        return self._timers[0][2] if self._timers else None

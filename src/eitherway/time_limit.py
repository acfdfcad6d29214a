"""A limit of time, for all that run under it: one timer, and none for what ends within a turn."""

from __future__ import annotations

import asyncio
from contextvars import Context
from typing import Protocol

from .clock import Clock, Timer

_EARLY_SECONDS = 0.001
"""A loop's timer may go off so much before its time."""


class Limited(Protocol):
    """What runs under a limit; known by identity."""

    def run_out(self) -> None:
        """Its time is over."""


class TimeLimit:
    """Tells each that runs for `seconds`. Those that begin first are told first."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._ends: dict[Limited, float] = {}  # by the monotonic clock, the next one first
        self._timer: Timer | None = None
        self._looks = False  # at the end of this turn of the loop
        self._context = Context()  # the timer's: it keeps no variables of whoever began first

    def begin(self, limited: Limited) -> None:
        """It runs from now on."""
        self._ends[limited] = self._clock.monotonic() + self._seconds
        if self._timer is None and not self._looks:
            self._looks = True
            asyncio.get_running_loop().call_soon(self._look, context=self._context)

    def end(self, limited: Limited) -> None:
        """It has ended, and is not told any more. Idempotent."""
        self._ends.pop(limited, None)
        if self._timer is not None and not self._ends:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        """Tell whose time is over, and wait for the next one, if there is any."""
        self._looks, self._timer = False, None
        now = self._clock.monotonic()
        while self._ends:
            limited, end = next(iter(self._ends.items()))
            if end > now + _EARLY_SECONDS:
                self._timer = self._clock.call_later(end - now, self._look)
                return
            del self._ends[limited]
            limited.run_out()

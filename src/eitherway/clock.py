"""Time as a constructor argument: the system's clock here, a virtual one in `eitherway.testing`."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Protocol


class Timer(Protocol):
    """A pending callback."""

    def cancel(self) -> None:
        """Drop the callback; a no-op once it ran."""


class Clock(ABC):
    """What time it is, and a wake-up call; all of eitherway's waiting goes through it."""

    @abstractmethod
    def now(self) -> float:
        """Seconds since the Unix epoch."""

    @abstractmethod
    def monotonic(self) -> float:
        """Seconds since some moment, which nobody sets: what durations are measured by."""

    @property
    @abstractmethod
    def boot(self) -> str:
        """Names that moment, the same for all processes that share it; empty where none may."""

    @abstractmethod
    def call_later(self, delay_seconds: float, callback: Callable[[], object]) -> Timer:
        """Run `callback` on the running event loop after `delay_seconds`."""

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        await self.wait(asyncio.get_running_loop().create_future(), seconds)

    async def wait(self, future: asyncio.Future[Any], timeout_seconds: float | None) -> bool:
        """Wait for `future` at most `timeout_seconds`; say whether it is done. Never cancels it.

        The future's own exception is not raised here.
        """
        if future.done():
            return True
        woken = asyncio.get_running_loop().create_future()

        def wake(_: object = None) -> None:
            if not woken.done():
                woken.set_result(None)

        future.add_done_callback(wake)
        timer = None if timeout_seconds is None else self.call_later(timeout_seconds, wake)
        try:
            await woken
        finally:
            future.remove_done_callback(wake)
            if timer is not None:
                timer.cancel()
        return future.done()


@cache
def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


class SystemClock(Clock):
    """The wall clock, and the event loop's own timers."""

    now = staticmethod(time.time)  # asked several times for each job: no call in between
    monotonic = staticmethod(time.monotonic)

    @property
    def boot(self) -> str:
        """This start of the machine, as Linux names it."""
        return _boot()

    def call_later(self, delay_seconds: float, callback: Callable[[], object]) -> Timer:
        """Run `callback` by the loop's own timer, which the wall clock does not move."""
        return asyncio.get_running_loop().call_later(delay_seconds, callback)

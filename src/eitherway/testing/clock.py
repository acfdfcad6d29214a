"""A clock for tests: time stands still until the test moves it."""

from __future__ import annotations

from ..engine.virtual_clock import VirtualClock as FakeClock

__all__ = ["FakeClock"]

"""Test your app with the real engine, in memory, under a clock that you move."""

from .app import Crash, TestApp
from .clock import FakeClock
from .http import Response

__all__ = ["Crash", "FakeClock", "Response", "TestApp"]

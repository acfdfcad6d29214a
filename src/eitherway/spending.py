"""What an attempt spends in databases: told by whoever talks to one, read by whoever set it.

The recorder travels in a context variable, so that it also reaches plain handlers in their threads.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Spending:
    """Counts calls to databases and waits for connections; durations are in seconds."""

    __slots__ = ("calls", "seconds", "wait_seconds", "waits")

    def __init__(self) -> None:
        self.calls = 0
        self.seconds = 0.0
        self.waits = 0
        self.wait_seconds = 0.0

    def call(self, seconds: float) -> None:
        """One more call to a database, which took this long, failed or not."""
        self.calls += 1
        self.seconds += seconds

    def wait(self, seconds: float) -> None:
        """One more wait for a connection, had in the end or not."""
        self.waits += 1
        self.wait_seconds += seconds


current_spending: ContextVar[Spending | None] = ContextVar("current_spending", default=None)
"""The recorder of the attempt that runs here, if somebody wants to know."""


@contextmanager
def measured_call() -> Iterator[None]:
    """Record the block as one call to a database."""
    spending = current_spending.get()
    if spending is None:
        yield
        return
    begun = time.perf_counter()
    try:
        yield
    finally:
        spending.call(time.perf_counter() - begun)

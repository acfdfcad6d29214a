"""How many jobs of an operation are in which state."""

from __future__ import annotations

from ...ids import Randomness
from .rows import Row
from .store import Store


class Counters:
    """Counts this process's transitions, and stores the sums."""

    def __init__(self, store: Store, randomness: Randomness) -> None:
        self._store = store
        self._name = randomness.name()  # of this process

    def count(self, before: Row | None, after: Row | None) -> None:
        """A row was this and is that now; None: it was not there, or is no more."""

    async def flush(self) -> None:
        """Store what was counted. Called after every write, before its caller is told."""

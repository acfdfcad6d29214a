"""Limits that hold over all processes: drawn before jobs are taken, released as attempts end."""

from __future__ import annotations

from collections.abc import Sequence

from ...engine.limits import Lesson, LimitUse, Share, ShareWish
from ...engine.values import Demand
from ...errors import EngineError
from ...ids import Randomness
from .rows import Row
from .store import Store
from .wake import Wake


class Limits:
    """What this process holds of limits."""

    def __init__(self, store: Store, wake: Wake, randomness: Randomness) -> None:
        self._store = store
        self._wake = wake
        self._name = randomness.name()  # of this process

    async def able(self, demands: Sequence[Demand]) -> list[Demand]:
        """Those that may start something now: neither paused nor without room in a limit."""
        return list(demands)

    async def draw(self, demand: Demand) -> int:
        """How many attempts may start now, `demand.count` at most: these count from now on.

        None where the operation is paused.
        """
        return demand.count

    async def give_back(self, demand: Demand, count: int) -> None:
        """So many of those that were drawn have not started."""

    async def release(self, *rows: Row) -> None:
        """The attempts of these rows, which count against `row.uses`, are over."""

    async def share(self, wishes: Sequence[ShareWish]) -> list[Share]:
        """Hold slots for calls, and draw starts."""
        return [Share(slots=w.slots, starts=w.starts) for w in wishes]

    async def uses(self, names: Sequence[str] | None) -> list[LimitUse]:
        """What is in use of these limits, or of all that were ever used."""
        raise EngineError("not yet")

    async def learn(self, lessons: Sequence[Lesson]) -> list[bool]:
        """Store what was learnt; False where it has moved."""
        raise EngineError("not yet")

"""Waiting until something may be received."""

from __future__ import annotations

from collections.abc import Sequence

from ...engine.values import Demand
from . import waiting
from .core import Core
from .wake import Topic


async def ready(core: Core, demands: Sequence[Demand], wait_seconds: float) -> list[str]:
    """Of which operations something may be received; waits for it."""
    until = core.store.now() + wait_seconds
    while not core.wake.closed:
        seen = core.wake.count(Topic.WORK)
        now = core.store.now()
        open_for, elsewhere_seconds = await core.limits.able(demands)
        found, due = await waiting.look(core, open_for, now)
        left = until - core.store.now()
        if found or left <= 0:
            return found
        core.hints.listen(open_for)
        due = min(due, now + elsewhere_seconds)
        await core.wake.wait(Topic.WORK, seen, min(until, due) - core.store.now())
    return []

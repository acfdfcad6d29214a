"""What waits to be received, and since when. On the event loop."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...engine.limits import LimitRule
from ...engine.values import Demand
from .limits import Use
from .reader import Reader


def look(reader: Reader, demands: Sequence[Demand], now: float) -> tuple[list[str], float]:
    """Of what something may be received now, and when the next job falls due."""
    paused = paused_operations(reader)
    found, next_due = [], math.inf
    for demand in demands:
        if demand.operation in paused:
            continue
        due = earliest(reader, demand.operation, demand.version_max, alone=demand.alone)
        if due is not None and due <= now:
            due = now + seconds_to_room(reader, demand.limits, now)
        if due is not None and due <= now:
            found.append(demand.operation)
        elif due is not None:
            next_due = min(next_due, due)
    return found, next_due


def seconds_to_room(reader: Reader, rules: Sequence[LimitRule], now: float) -> float:
    """Until the limits allow a start; infinite where only an end, which wakes, makes room."""
    wait = 0.0
    for rule in rules:
        if not rule.keyed:
            rows = reader.all("limit_use", name=rule.name, key="", now=now)
            use = Use(*rows[0]) if rows else Use()
            if use.is_held_from_jobs(rule, now):
                continue  # a claim in vain makes calls come down
            room, seconds = use.room(rule, now)
            if room <= 0:
                # For some starts at once: a rate would wake all who wait for each single one.
                more = 0.0 if rule.per_second is None else (rule.burst / 2 - 1) / rule.per_second
                wait = max(wait, seconds + max(0.0, more))
    return wait


def earliest(reader: Reader, operation: str, version_max: int, *, alone: bool) -> float | None:
    """When the first job of an operation may be received; None if none waits."""
    where = {"operation": operation, "suspect": alone}
    versions = reader.all("versions", version_max=version_max, **where)
    firsts = [reader.all("earliest", version=version, **where) for (version,) in versions]
    return min((rows[0][0] for rows in firsts if rows), default=None)


def paused_operations(reader: Reader) -> set[str]:
    """The operations whose jobs are not handed out."""
    return {operation for (operation,) in reader.all("paused")}

"""When somebody should look at a job: the sweep's index is by this."""

from __future__ import annotations

from .hints import DELAY_SECONDS_MAX
from .rows import Row

GRACE_SECONDS = 30.0
"""How long a job that is due may wait before its hint is sent again; doubled each time."""

GRACE_SECONDS_MAX = 3600.0


def look_at(row: Row, now: float) -> float | None:
    """When to look at a row: its lease's end, when its hint is late, or when it is to be purged."""
    if row.lease_until is not None:
        return row.lease_until
    if row.ended:
        return row.expires
    late_seconds = max(0.0, now - row.due)
    if row.due - now > DELAY_SECONDS_MAX:
        look = row.due - DELAY_SECONDS_MAX / 2  # its hint cannot be sent before
    else:
        look = max(row.due, now) + min(max(GRACE_SECONDS, late_seconds), GRACE_SECONDS_MAX)
    return min(look, row.deadline)

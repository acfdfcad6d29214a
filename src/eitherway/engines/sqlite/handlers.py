"""What the writer does for each method, and what the engine can do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ...engine.capabilities import Capabilities
from . import jobs, limits, operate
from .settle import settle
from .transaction import Handler

HANDLERS: Mapping[str, Handler] = {
    "accept": jobs.accept,
    "receive": jobs.receive,
    "extend": jobs.extend,
    "settle": settle,
    "overdue": jobs.overdue,
    "purge": jobs.purge,
    "redrive": operate.redrive,
    "discard": operate.discard,
    "pause": operate.pause,
    "share": limits.share,
    "learn": limits.learn,
}

_YEAR_SECONDS = 365 * 24 * 3600


def capabilities_of(path: Path | None) -> Capabilities:
    """SQLite's limits, or rather those that every engine can hold."""
    return Capabilities(
        durability="memory" if path is None else "fsync",
        payload_bytes_max=256 * 1024,
        item_bytes_max=400_000,
        writes_per_commit_max=100,
        commit_bytes_max=4 * 1024 * 1024,
        delay_seconds_max=10 * _YEAR_SECONDS,
        shared=path is not None,
        in_flight_min=1,
        limit_keys=True,
        lanes=True,
    )

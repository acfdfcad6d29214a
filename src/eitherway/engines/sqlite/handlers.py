"""What the writer does for each method, and what the engine can do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ...engine.capabilities import Capabilities
from . import cancel, idempotency, jobs, limits, operate
from .accept import accept
from .promote import promote
from .purge import purge
from .settle import settle
from .transaction import Handler

HANDLERS: Mapping[str, Handler] = {
    "accept": accept,
    "claim": idempotency.claim,
    "receive": jobs.receive,
    "promote": promote,
    "extend": jobs.extend,
    "settle": settle,
    "overdue": jobs.overdue,
    "purge": purge,
    "cancel": cancel.cancel,
    "hide": cancel.hide,
    "redrive": operate.redrive,
    "discard": operate.discard,
    "pause": operate.pause,
    "share": limits.share,
    "learn": limits.learn,
}

STEPS = (
    "accept.begun",  # the transaction is open
    "accept.written",  # not committed
    "accept.committed",  # nobody told
    "accept.woken",  # other processes woken, the caller not told
    "promote.begun",
    "promote.written",
    "promote.committed",
    "promote.woken",
    "settle.begun",
    "settle.items",  # items and enqueued jobs written, the record not yet
    "settle.written",
    "settle.committed",
    "settle.woken",
)
"""Where a process can be killed, to try what a crash leaves."""

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
        promotes_running=True,
        events_by_owner=True,
        shared=path is not None,
        in_flight_min=1,
        limit_keys=True,
        lanes=True,
    )

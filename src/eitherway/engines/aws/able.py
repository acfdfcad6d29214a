"""What the engine can do, and where it can be killed."""

from __future__ import annotations

from ...engine.capabilities import Capabilities

STEPS = (
    "accept.begun",
    "accept.stored",  # a record is there, its hint not yet
    "accept.hinted",  # the caller is not told
    "settle.begun",
    "settle.committed",  # record, items and new jobs are there, their hints not yet
    "settle.hinted",
)
"""Where a process can be killed, to try what a crash leaves."""

_YEAR_SECONDS = 365 * 24 * 3600
_RETENTION_SECONDS = 14 * 86_400.0
"""Of a queue, at most: what API Gateway put there has no record before a worker took it."""

_LAG_SECONDS = 2.0
"""Of a stream behind its table, generously: it says "near real time"."""

CAPABILITIES = Capabilities(
    durability="replicated",
    payload_bytes_max=256 * 1024,
    item_bytes_max=400_000,
    writes_per_commit_max=96,  # of 100: the record, its key, and what it only checks
    commit_bytes_max=3_900_000,  # of 4 MB, records included
    delay_seconds_max=10 * _YEAR_SECONDS,
    promotes_running=False,
    events_by_owner=True,
    shared=True,
    in_flight_min=2,
    limit_keys=False,
    lanes=False,
    unrecorded_seconds=_RETENTION_SECONDS,
    events_lag_seconds=_LAG_SECONDS,
)

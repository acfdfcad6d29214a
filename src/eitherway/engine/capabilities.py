"""What an engine can do, as numbers; the core emulates what it safely can and refuses the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Durability = Literal["memory", "fsync", "replicated"]
"""What survives: nothing but this process; a power cut; the loss of a machine."""


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """One engine's limits. Checked when an app opens."""

    durability: Durability  # of a job once `accept` returned
    payload_bytes_max: int  # of one payload, and of one result
    item_bytes_max: int  # of one table item
    writes_per_commit_max: int  # table items, enqueued jobs and `others` of one settlement
    commit_bytes_max: int  # of all of them together
    delay_seconds_max: float  # how far ahead a job may be due
    promotes_running: bool  # whether a call that runs can become a job
    events_by_owner: bool  # whether `events` can be asked for those of an owner's jobs
    shared: bool  # whether another process can open the same engine
    in_flight_min: int  # of a limit's `in_flight`: what the engine shares out among its processes
    limit_keys: bool  # whether limits can be held for each key
    lanes: bool  # whether jobs can keep an order
    unrecorded_seconds: float = 0.0  # how long an accepted job may wait before it has a record
    events_lag_seconds: float = 0.0  # how long after a commit `events` may not tell of it yet

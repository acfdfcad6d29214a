"""The event log: whose events are asked for, and a page of what there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .values import Event


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnedBy:
    """All jobs of a principal, also those that are accepted later."""

    owner: str


WhichJobs = Sequence[str] | OwnedBy
"""The jobs with these ids, or those of an owner."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EventPage:
    """Events in the order of their commits, and the cursor to go on from."""

    events: Sequence[Event]
    cursor: str
    is_end: bool
    """Nothing that was committed before the call is left after the cursor. False: there may be.

    As far as the log tells of it, which may be `events_lag_seconds` late.
    """

"""Looking through jobs: which ones, and a page of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..job import JobRecord, JobState


@dataclass(frozen=True, kw_only=True, slots=True)
class JobFilter:
    """Which jobs to list; what is None, or False, does not narrow."""

    operations: Sequence[str] | None = None
    states: Sequence[JobState] | None = None
    dead: bool = False  # dead letters alone: failed, but not rejected
    cause: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class JobPage:
    """Jobs, newest first, and the cursor to go on from; None at the end."""

    jobs: Sequence[JobRecord]
    cursor: str | None

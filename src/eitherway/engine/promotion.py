"""What engines take to make a running call a job."""

from __future__ import annotations

from dataclasses import dataclass

from .values import NewJob


@dataclass(frozen=True, kw_only=True, slots=True)
class Promotion:
    """A call that runs, to be made a job: `started` is when its handler was.

    It counts in its limits as the call that it is: the job's record counts in none until it is
    received again.
    """

    job: NewJob
    started: float
    lease_seconds: float

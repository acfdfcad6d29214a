"""Ending a job from outside: what an engine is told of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .values import NewJob


@dataclass(frozen=True, kw_only=True, slots=True)
class Cancellation:
    """A job to end as it is: it becomes `canceled` at once, whoever runs it."""

    job_id: str
    at: float
    expires: float
    jobs: Sequence[NewJob] = ()  # enqueued with it

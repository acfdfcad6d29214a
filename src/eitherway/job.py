"""A job: its record, its attempts, and the one table of its transitions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .errors import TransitionError
from .problem import Answer


class JobState(StrEnum):
    """Where a job is in its life; the wire uses the same words."""

    SCHEDULED = "scheduled"
    QUEUED = "queued"
    RUNNING = "running"
    RETRYING = "retrying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def done(self) -> bool:
        """Whether this state is final."""
        return self in TERMINAL


TERMINAL = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELED})
WAITING = frozenset({JobState.SCHEDULED, JobState.QUEUED, JobState.RETRYING})

TRANSITIONS: Mapping[JobState, frozenset[JobState]] = {
    JobState.SCHEDULED: frozenset({JobState.QUEUED, JobState.CANCELED, JobState.FAILED}),
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.CANCELED, JobState.FAILED}),
    JobState.RUNNING: frozenset(
        {
            JobState.SUCCEEDED,
            JobState.FAILED,
            JobState.RETRYING,
            JobState.QUEUED,  # given back, or lost by a process that died
            JobState.CANCELED,
        }
    ),
    JobState.RETRYING: frozenset({JobState.RUNNING, JobState.CANCELED, JobState.FAILED}),
    JobState.SUCCEEDED: frozenset(),
    JobState.FAILED: frozenset({JobState.QUEUED}),  # redrive alone
    JobState.CANCELED: frozenset(),
}


def check_transition(current: JobState, new: JobState) -> None:
    """Raise `TransitionError`, naming expected and actual, unless `current` leads to `new`."""
    if new not in TRANSITIONS[current]:
        sources = sorted(state for state, targets in TRANSITIONS.items() if new in targets)
        raise TransitionError(
            f"a job becomes {new} from {' or '.join(sources)}, not from {current}"
        )


class Outcome(StrEnum):
    """How an attempt ended.

    Hot paths keep members under names of their module: Python 3.11 makes a call to find one.
    """

    SUCCEEDED = "succeeded"
    ERROR = "error"
    REJECTED = "rejected"
    TIMED_OUT = "timed_out"
    THROTTLED = "throttled"
    INTERRUPTED = "interrupted"
    CONFLICT = "conflict"
    LEASE_LOST = "lease_lost"
    CANCELED = "canceled"


class FailureKind(StrEnum):
    """Why a job failed; all but `rejected` are dead letters."""

    EXHAUSTED = "exhausted"
    EXPIRED = "expired"
    INCOMPATIBLE = "incompatible"
    REJECTED = "rejected"


ATTEMPTS_KEPT = 100
"""A record keeps its last 100 attempts."""

EXCEPTIONS_KEPT = 5
"""And the exceptions of the last 5 of them, so that a record's size is bounded."""


def may_see(owner: str | None, principal: str | None) -> bool:
    """Whether a job is for this caller's eyes: it is theirs, or nobody's in particular."""
    return owner is None or owner == principal


@dataclass(slots=True)
class Attempt:
    """One start of a job's handler."""

    number: int  # from 1, every start
    started: float
    finished: float | None = None
    outcome: Outcome | None = None  # None while it runs
    error: Mapping[str, Any] | None = None  # a problem document, without internals
    exception: str | None = None  # for operators alone


@dataclass(slots=True)
class JobRecord:
    """The truth about a job. Times are seconds since the epoch."""

    id: str
    operation: str
    version: int  # of the operation, when the job was accepted
    state: JobState
    revision: int  # moves with state, attempt and progress
    created: float
    updated: float
    deadline: float
    attempts_max: int
    started: float | None = None  # the first attempt's start
    attempt: int = 0  # counted attempts, the running one included
    starts: int = 0  # every start, counted or not: the number of the last attempt
    attempts: tuple[Attempt, ...] = ()
    due: float | None = None  # when a waiting job may run
    finished: float | None = None
    expires: float | None = None  # None for dead letters, and while not finished
    suspect: bool = False  # died in company: runs alone next
    progress: Mapping[str, Any] | None = None
    answer: Answer | None = None  # of a job that succeeded
    error: Mapping[str, Any] | None = None  # of a job that failed: a problem document
    kind: FailureKind | None = None
    cause: str | None = None  # of a dead letter: what such letters are grouped by
    hidden: bool = False  # its owner deleted it: for operators alone
    owner: str | None = None  # the principal whose job it is; None: whoever knows the id
    traceparent: str | None = None  # the trace it belongs to, where a caller named one
    tracestate: str | None = None
    callback: str | None = None  # whom to tell of its end

    @property
    def done(self) -> bool:
        """Whether the job has ended."""
        return self.state in TERMINAL

"""A job as it is stored: one item of the table of jobs, and what is derived from it.

Every transition reads the row, makes the next one and puts it in the place of the one it has read
(`writes.replace`): whoever comes second fails on `stamp`, which every write moves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from ...engine.stored import NO_ATTEMPTS, from_text, to_answer, to_attempts
from ...engine.values import Message, NewJob
from ...job import TERMINAL, WAITING, Attempt, FailureKind, JobRecord, JobState


class Told(NamedTuple):
    """An event that a write of a row tells of."""

    revision: int
    state: JobState
    at: float
    progress: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A job. Times are epoch seconds; what is None is not stored."""

    id: str
    operation: str
    version: int
    state: JobState
    revision: int = 1
    stamp: int = 1  # moves with every write, also with those that are no news
    created: float
    updated: float
    started: float | None = None
    finished: float | None = None
    expires: float | None = None
    deadline: float
    due: float  # stays when the job starts
    attempt: int = 0
    attempts_max: int
    starts: int = 0
    attempts: str = NO_ATTEMPTS  # those that have ended, JSON
    attempt_started: float | None = None
    suspect: bool = False
    alone: bool = False  # of the last worker's lease
    token: int = 0  # of the last lease; grows with every one
    lease_until: float | None = None  # None: nobody holds it
    look_at: float | None = None  # when somebody should look whether all is well
    progress: str | None = None  # JSON
    error: str | None = None  # JSON
    kind: FailureKind | None = None
    cause: str | None = None
    answer_status: int | None = None
    answer_type: str | None = None
    answer_body: bytes | None = None
    answer_apart: bool = False  # its body is an item of its own
    payload: bytes = b""
    params: bytes = b""
    headers: bytes = b""
    payload_apart: bool = False  # likewise
    hidden: bool = False
    owner: str | None = None
    traceparent: str | None = None
    tracestate: str | None = None
    callback: str | None = None
    uses: tuple[str, ...] = ()  # the limits that it counts against now
    told: tuple[Told, ...] = ()  # what the last write was news of

    @property
    def waits(self) -> bool:
        """Whether it waits and nobody holds it."""
        return self.state in WAITING and self.lease_until is None

    @property
    def ended(self) -> bool:
        """Whether its state is final."""
        return self.state in TERMINAL

    @property
    def dead(self) -> bool:
        """Whether it is a dead letter."""
        return self.state is JobState.FAILED and self.kind is not FailureKind.REJECTED

    @property
    def running(self) -> Attempt | None:
        """The attempt that goes on."""
        if self.state is not JobState.RUNNING or self.attempt_started is None:
            return None
        return Attempt(number=self.starts, started=self.attempt_started)

    def holds(self, token: int) -> bool:
        """Whether the lease of this token holds it still."""
        return self.token == token and self.lease_until is not None and not self.ended


def fresh(job: NewJob) -> Row:
    """The row of a job that is accepted."""
    state = JobState.SCHEDULED if job.due > job.created else JobState.QUEUED
    return Row(
        id=job.id,
        operation=job.operation,
        version=job.version,
        state=state,
        created=job.created,
        updated=job.created,
        deadline=job.deadline,
        due=job.due,
        attempts_max=job.attempts_max,
        payload=job.message.payload,
        params=job.message.params,
        headers=job.message.headers,
        owner=job.owner,
        traceparent=job.traceparent,
        tracestate=job.tracestate,
        callback=job.callback,
        told=(Told(1, state, job.created),),
    )


def fallen_due(row: Row, now: float) -> Row:
    """The row as it reads at `now`: a scheduled job that fell due is queued, a revision on.

    Nothing writes that down at the time; whoever writes the row next does.
    """
    if row.state is not JobState.SCHEDULED or row.due > now:
        return row
    news = Told(row.revision + 1, JobState.QUEUED, row.due)
    return replace(
        row, state=JobState.QUEUED, revision=news.revision, updated=row.due, told=(news,)
    )


def moved(row: Row, state: JobState, at: float, now: float, **changes: Any) -> Row:
    """The row one revision on; what it fell due from is told beside it."""
    due = fallen_due(quiet(row), now)
    news = Told(due.revision + 1, state, at)
    return replace(
        due,
        state=state,
        revision=news.revision,
        stamp=row.stamp + 1,
        updated=at,
        told=(*due.told, news),
        **changes,
    )


def quiet(row: Row, **changes: Any) -> Row:
    """The row as it is, with changes that are no news."""
    return replace(row, told=(), stamp=row.stamp + 1, **changes)


def to_record(row: Row, now: float) -> JobRecord:
    """The record that a row makes at `now`."""
    row = fallen_due(row, now)
    return JobRecord(
        id=row.id,
        operation=row.operation,
        version=row.version,
        state=row.state,
        revision=row.revision,
        created=row.created,
        updated=row.updated,
        started=row.started,
        finished=row.finished,
        expires=row.expires,
        deadline=row.deadline,
        due=row.due if row.state in WAITING else None,
        attempt=row.attempt,
        attempts_max=row.attempts_max,
        starts=row.starts,
        attempts=to_attempts(row.attempts, row.running),
        suspect=row.suspect,
        progress=from_text(row.progress),
        answer=to_answer(row.answer_status, row.answer_type, row.answer_body),
        error=from_text(row.error),
        kind=row.kind,
        cause=row.cause,
        hidden=row.hidden,
        owner=row.owner,
        traceparent=row.traceparent,
        tracestate=row.tracestate,
        callback=row.callback,
    )


def message_of(row: Row) -> Message:
    """What was asked."""
    return Message(payload=row.payload, params=row.params, headers=row.headers)

"""Between a row of `job` and its `JobRecord`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeVar

from ...engine.stored import from_text, to_answer, to_attempts
from ...job import ATTEMPTS_KEPT, WAITING, Attempt, FailureKind, JobRecord, JobState


class JobRow(NamedTuple):
    """A row of `job`, as selected by `{job}`."""

    seq: int
    id: str
    operation: str
    version: int
    state: str
    revision: int
    created: float
    updated: float
    started: float | None
    finished: float | None
    expires: float | None
    deadline: float
    due: float | None
    attempt: int
    attempts_max: int
    starts: int
    suspect: int
    alone: int
    token: int
    lease_until: float | None
    attempt_started: float | None
    kind: str | None
    cause: str | None
    progress: str | None
    error: str | None
    answer_status: int | None
    answer_type: str | None
    attempts: str
    keys: str | None
    lane: str | None
    width: int | None
    until: str | None
    place: int
    hidden: int
    owner: str | None
    traceparent: str | None
    tracestate: str | None
    callback: str | None
    answer_body: bytes | None


WIDTH = len(JobRow._fields)


class HeldRow(NamedTuple):
    """What a settlement or an extension needs of a row, as selected by `{held}`."""

    seq: int
    operation: str
    state: str
    revision: int
    updated: float
    due: float | None
    attempts: str
    keys: str | None
    uses: str | None
    lane: str | None
    width: int | None
    until: str | None
    place: int
    owner: str | None


FREE, LET_OUT, WAITS = 0, 1, 2
"""A job's place: in no lane (any more), let out of its lane, waiting in it."""

Row = TypeVar("Row", JobRow, HeldRow)


def fallen_due(row: Row, now: float) -> Row:
    """The row as it reads at `now`: a scheduled job that fell due is queued, a revision on.

    Nothing writes that down at the time; whoever writes the row next does.
    """
    if row.state != JobState.SCHEDULED or row.due is None or row.due > now:
        return row
    return row._replace(state=JobState.QUEUED, revision=row.revision + 1, updated=row.due)


def to_record(row: JobRow, now: float) -> JobRecord:
    """The record that a row makes at `now`."""
    row = fallen_due(row, now)
    state = JobState(row.state)
    return JobRecord(
        id=row.id,
        operation=row.operation,
        version=row.version,
        state=state,
        revision=row.revision,
        created=row.created,
        updated=row.updated,
        started=row.started,
        finished=row.finished,
        expires=row.expires,
        deadline=row.deadline,
        due=row.due if state in WAITING else None,
        attempt=row.attempt,
        attempts_max=row.attempts_max,
        starts=row.starts,
        attempts=to_attempts(row.attempts, _running(row, state)),
        suspect=bool(row.suspect),
        progress=from_text(row.progress),
        answer=to_answer(row.answer_status, row.answer_type, row.answer_body),
        error=from_text(row.error),
        kind=None if row.kind is None else FailureKind(row.kind),
        cause=row.cause,
        hidden=bool(row.hidden),
        owner=row.owner,
        traceparent=row.traceparent,
        tracestate=row.tracestate,
        callback=row.callback,
    )


def to_leased(row: JobRow, now: float) -> JobRecord:
    """The record of a waiting job's row once it is leased, its attempt counted and started."""
    record = to_record(row, now)
    record.state, record.due = JobState.RUNNING, None
    record.updated, record.started = now, row.started or now
    record.revision += 1
    record.attempt += 1
    record.starts += 1
    running = Attempt(number=record.starts, started=now)
    record.attempts = (*record.attempts, running)[-ATTEMPTS_KEPT:]
    return record


def keys_of(row: Row) -> Mapping[str, str]:
    """The job's keys, by the limit's name."""
    keys: dict[str, str] | None = from_text(row.keys)
    return keys or {}


def _running(row: JobRow, state: JobState) -> Attempt | None:
    if state is not JobState.RUNNING or row.attempt_started is None:
        return None
    return Attempt(number=row.starts, started=row.attempt_started)

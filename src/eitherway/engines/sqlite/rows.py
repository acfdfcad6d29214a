"""Between a row of `job` and its `JobRecord`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from ...engine.stored import NO_ATTEMPTS, from_text, to_answer, to_attempts
from ...engine.values import Finish
from ...job import WAITING, Attempt, FailureKind, JobRecord, JobState, Outcome


@dataclass(slots=True)
class JobRow:
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


@dataclass(slots=True)
class HeldRow:
    """What a settlement or an extension needs of a row, as selected by `{held}`."""

    seq: int
    id: str
    token: int
    operation: str
    state: str
    revision: int
    updated: float
    due: float | None
    attempt_started: float | None
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

STATES: Mapping[str, JobState] = {state.value: state for state in JobState}
WORDS: Mapping[JobState, str] = {state: state.value for state in JobState}
"""States by their words, and back: to ask the class takes ten times as long."""

_SCHEDULED = JobState.SCHEDULED.value
_JOB_SUCCEEDED = JobState.SUCCEEDED
_SUCCEEDED = Outcome.SUCCEEDED


def fallen_due(row: Row, now: float) -> Row:
    """The row as it reads at `now`: a scheduled job that fell due is queued, a revision on.

    Nothing writes that down at the time; whoever writes the row next does.
    """
    if row.state != _SCHEDULED or row.due is None or row.due > now:
        return row
    return replace(row, state=JobState.QUEUED, revision=row.revision + 1, updated=row.due)


def to_record(row: JobRow, now: float) -> JobRecord:
    """The record that a row makes at `now`."""
    row = fallen_due(row, now)
    state = STATES[row.state]
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
        attempts=to_attempts(row.attempts, _last(row, state)),
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


def keys_of(stored: str | None) -> Mapping[str, str]:
    """A job's keys, by the limit's name."""
    keys: dict[str, str] = {} if stored is None else from_text(stored)
    return keys


def says_all(row: HeldRow, finish: Finish) -> bool:
    """Whether a row that ends so needs no text of its attempts: it had one, which succeeded.

    What there is to say of that one is in columns of their own.
    """
    if len(finish.attempts) != 1 or row.attempts != NO_ATTEMPTS:
        return False
    one = finish.attempts[0]
    return (
        finish.state is _JOB_SUCCEEDED
        and one.outcome is _SUCCEEDED
        and one.number == finish.starts
        and one.started == row.attempt_started
        and one.finished == finish.at
        and one.error is None
        and one.exception is None
    )


def _last(row: JobRow, state: JobState) -> Attempt | None:
    """The attempt that the columns tell of: the one that runs, or the only one, which succeeded."""
    if row.attempt_started is None:
        return None
    if state is JobState.SUCCEEDED:
        return Attempt(
            number=row.starts,
            outcome=Outcome.SUCCEEDED,
            started=row.attempt_started,
            finished=row.finished,
        )
    if state is not JobState.RUNNING:
        return None
    return Attempt(number=row.starts, started=row.attempt_started)

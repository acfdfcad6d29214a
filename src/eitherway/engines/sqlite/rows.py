"""Between a row of `job` and its `JobRecord`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from pydantic_core import from_json, to_json

from ...job import (
    ATTEMPTS_KEPT,
    EXCEPTIONS_KEPT,
    WAITING,
    Attempt,
    FailureKind,
    JobRecord,
    JobState,
    Outcome,
)
from ...problem import Answer


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
        attempts=_attempts(row, state),
        suspect=bool(row.suspect),
        progress=_parse(row.progress),
        answer=_answer(row),
        error=_parse(row.error),
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
    return {} if row.keys is None else _parse(row.keys)


def append_attempts(stored: str, ended: Sequence[Attempt]) -> str:
    """The `attempts` column once these have ended too; the last `ATTEMPTS_KEPT` of them."""
    if not ended:
        return stored
    if stored == "[]" and len(ended) == 1:
        return f"[{_text(ended[0])}]"
    earlier = [] if stored == "[]" else from_json(stored)
    for attempt in earlier[: max(0, len(earlier) + len(ended) - EXCEPTIONS_KEPT)]:
        attempt["exception"] = None
    return to_json([*earlier, *ended][-ATTEMPTS_KEPT:]).decode()


def _text(attempt: Attempt) -> str:
    """An attempt as JSON. Most have no error, and are put together in a tenth of the time."""
    finished, outcome = attempt.finished, attempt.outcome
    if attempt.error is not None or attempt.exception is not None or finished is None:
        return to_json(attempt).decode()
    return (
        f'{{"number":{attempt.number},"outcome":"{outcome}","error":null,"exception":null,'
        f'"started":{attempt.started!r},"finished":{finished!r}}}'
    )


def to_text(value: Any) -> str | None:
    """The JSON text of a mapping, for a column; None stays None."""
    return None if value is None else to_json(value).decode()


def _attempts(row: JobRow, state: JobState) -> tuple[Attempt, ...]:
    ended = () if row.attempts == "[]" else tuple(map(_attempt, from_json(row.attempts)))
    if state is not JobState.RUNNING or row.attempt_started is None:
        return ended
    # The running attempt is in no column: a claim would have to rewrite the list.
    running = Attempt(number=row.starts, started=row.attempt_started)
    return (*ended, running)[-ATTEMPTS_KEPT:]


def _attempt(values: dict[str, Any]) -> Attempt:
    outcome = values["outcome"]
    return Attempt(**{**values, "outcome": None if outcome is None else Outcome(outcome)})


def _answer(row: JobRow) -> Answer | None:
    if row.answer_status is None:
        return None
    return Answer(row.answer_status, row.answer_type or "", row.answer_body or b"")


def _parse(text: str | None) -> Any:
    return None if text is None else from_json(text)

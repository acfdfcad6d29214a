"""A waiting job as a claim reads it: few columns, and what few jobs have beside them as one.

For each column that `sqlite3` hands over it lets go of the interpreter, and gets it back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...engine.stored import NO_ATTEMPTS, from_text, to_attempts
from ...engine.values import Message
from ...job import Attempt, FailureKind, JobRecord, JobState
from .rows import FREE, HeldRow

_QUEUED, _RUNNING = JobState.QUEUED.value, JobState.RUNNING.value
_JOB_RUNNING = JobState.RUNNING


@dataclass(slots=True)
class Rest:
    """What a job's row says, as selected by `{rest}`, that most waiting jobs have like this."""

    state: str = _QUEUED
    revision: int = 1
    attempt: int = 0
    starts: int = 0
    token: int = 0
    attempts: str = NO_ATTEMPTS
    keys: str | None = None
    lane: str | None = None
    width: int | None = None
    until: str | None = None
    suspect: int = 0
    hidden: int = 0
    kind: str | None = None
    cause: str | None = None
    progress: str | None = None
    error: str | None = None
    owner: str | None = None
    traceparent: str | None = None
    tracestate: str | None = None
    callback: str | None = None
    params: str = ""  # in hexadecimal digits, as `headers`
    headers: str = ""


_NOTHING = Rest()


@dataclass(slots=True)
class Due:
    """What a claim needs of a waiting job, and its payload."""

    version: int
    rest: Rest
    seq: int
    id: str
    created: float
    started: float | None
    deadline: float
    due: float
    attempts_max: int
    payload: bytes


def to_due(version: int, row: Sequence[Any]) -> Due:
    """A row as `receivable` selects it: its last column is the rest as a JSON array, or NULL."""
    *columns, rest = row
    return Due(version, _NOTHING if rest is None else Rest(*from_text(rest)), *columns)


def to_message(row: Due) -> Message:
    """What was asked."""
    rest = row.rest
    if rest is _NOTHING:
        return Message(row.payload)
    return Message(row.payload, bytes.fromhex(rest.params), bytes.fromhex(rest.headers))


def to_leased(row: Due, operation: str, now: float) -> JobRecord:
    """The record of a waiting job once it is leased, its attempt counted and started."""
    rest = row.rest
    starts = rest.starts + 1
    record = JobRecord(  # by position: names take three times as long
        row.id,
        operation,
        row.version,
        _JOB_RUNNING,
        rest.revision + 1,
        row.created,
        now,
        row.deadline,
        row.attempts_max,
        row.started or now,
        rest.attempt + 1,
        starts,
        to_attempts(rest.attempts, Attempt(starts, now)),
    )
    if rest is not _NOTHING:
        _add_rest(record, rest)
    return record


def to_held(row: Due, operation: str, now: float, uses: str | None) -> HeldRow:
    """What the row of a job in no lane says once it is leased."""
    rest = row.rest
    return HeldRow(
        row.seq,
        row.id,
        rest.token + 1,
        operation,
        _RUNNING,
        rest.revision + 1,
        now,
        row.due,
        now,
        rest.attempts,
        rest.keys,
        uses,
        None,
        None,
        None,
        FREE,
        rest.owner,
    )


def _add_rest(record: JobRecord, rest: Rest) -> None:
    record.suspect = bool(rest.suspect)
    record.progress = from_text(rest.progress)
    record.error = from_text(rest.error)
    record.kind = None if rest.kind is None else FailureKind(rest.kind)
    record.cause = rest.cause
    record.hidden = bool(rest.hidden)
    record.owner = rest.owner
    record.traceparent = rest.traceparent
    record.tracestate = rest.tracestate
    record.callback = rest.callback

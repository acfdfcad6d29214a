"""Accepting jobs, each under its key where it has one."""

from __future__ import annotations

from collections.abc import Container, Sequence

from ...engine.stored import to_text
from ...engine.values import NewJob
from ...engine.waking import Topic
from ...job import JobState
from . import idempotency
from .rows import FREE, WAITS
from .transaction import Transaction

_SCHEDULED, _QUEUED = JobState.SCHEDULED.value, JobState.QUEUED.value


def accept(tx: Transaction, calls: Sequence[Sequence[NewJob]]) -> list[list[bool]]:
    """Store the jobs of every call; True where one is new."""
    jobs = [job for call in calls for job in call]
    able = idempotency.bind(tx, jobs)
    new = iter(insert(tx, [job for job, is_able in zip(jobs, able, strict=True) if is_able]))
    told = iter([is_able and next(new) for is_able in able])
    return [[next(told) for _ in call] for call in calls]


def insert(tx: Transaction, jobs: Sequence[NewJob]) -> list[bool]:
    """Store jobs with their messages; True where one is new, also within `jobs`."""
    (first,) = tx.one("accept_next")
    numbered = list(enumerate(jobs, first))
    if any(_is_special(job) for job in jobs):
        rows = [(*_columns(seq, job), *_special_columns(job)) for seq, job in numbered]
        changed = tx.insert("accept_special_job", rows)
    else:
        changed = tx.insert("accept_job", [_columns(seq, job) for seq, job in numbered])
    stored: Container[int] = range(first, first + len(jobs))
    if changed < len(jobs):
        stored = {seq for (seq,) in tx.all("accept_stored", first=first)}
        numbered = [(seq, job) for seq, job in numbered if seq in stored]
    messages = [(seq, job.message) for seq, job in numbered]
    tx.insert("accept_message", [(seq, m.payload, m.params, m.headers) for seq, m in messages])
    tx.write_events()  # those that came before
    tx.one("accept_events", first=first, last=first + len(jobs) - 1)
    for _, job in numbered:
        tx.tally[job.operation, _first_state(job)] += 1
        if job.lane is not None:
            tx.let_out(job.lane.name, job.lane.width)
    if numbered:
        tx.topics.update((Topic.WORK, Topic.EVENTS))
    return [seq in stored for seq in range(first, first + len(jobs))]


def _columns(seq: int, job: NewJob) -> tuple[object, ...]:
    """What every job has."""
    return (
        seq,
        job.id,
        job.operation,
        job.version,
        _first_state(job),
        job.created,
        job.created,
        job.deadline,
        job.due,
        job.due,
        job.attempts_max,
    )


def _is_special(job: NewJob) -> bool:
    """Whether it has what most jobs have not. A None takes `sqlite3` longer than any number."""
    return not (
        job.lane is None
        and job.owner is None
        and job.traceparent is None
        and job.callback is None
        and not job.keys
    )


def _special_columns(job: NewJob) -> tuple[object, ...]:
    lane = job.lane
    # Where the order counts, a job for later stands in line from now on; else when it is due.
    in_line = lane is not None and (lane.until == "ended" or job.due <= job.created)
    return (
        to_text(job.keys) if job.keys else None,
        *((None, None, None) if lane is None else (lane.name, lane.width, lane.until)),
        WAITS if in_line else FREE,
        job.owner,
        job.traceparent,
        job.tracestate,
        job.callback,
    )


def _first_state(job: NewJob) -> str:
    return _SCHEDULED if job.due > job.created else _QUEUED

"""Accepting jobs, each under its key where it has one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain, compress, islice
from operator import attrgetter

from ...engine.stored import to_text
from ...engine.values import Message, NewJob
from ...engine.waking import Topic
from ...job import JobState
from . import idempotency
from .rows import FREE, WAITS
from .transaction import Transaction

_SCHEDULED, _QUEUED = JobState.SCHEDULED.value, JobState.QUEUED.value

# of a job, without a call of Python's for each
_key = attrgetter("key")
_operation = attrgetter("operation")
_columns = attrgetter(
    "id", "operation", "version", "created", "created", "deadline", "due", "due", "attempts_max"
)
_message = attrgetter("message")
_payload, _params, _headers = attrgetter("payload"), attrgetter("params"), attrgetter("headers")
_special = attrgetter("lane", "owner", "traceparent", "callback", "keys")
_NOTHING: tuple[object, ...] = (None, None, None, None, {})


def accept(tx: Transaction, calls: Sequence[Sequence[NewJob]]) -> list[list[bool]]:
    """Store the jobs of every call; True where one is new."""
    jobs = list(chain.from_iterable(calls))
    if any(map(_key, jobs)):
        able = idempotency.bind(tx, jobs)
        stored = iter(insert(tx, list(compress(jobs, able))))
        new = iter([is_able and next(stored) for is_able in able])
    else:
        new = iter(insert(tx, jobs))
    return [list(islice(new, len(call))) for call in calls]


def insert(tx: Transaction, jobs: Sequence[NewJob]) -> list[bool]:
    """Store jobs with their messages; True where one is new, also within `jobs`."""
    (first,) = tx.one("accept_next")
    seqs: Sequence[int] = range(first, first + len(jobs))
    states = [_SCHEDULED if job.due > job.created else _QUEUED for job in jobs]
    rows = [
        (seq, state, *_columns(job)) for seq, state, job in zip(seqs, states, jobs, strict=True)
    ]
    # what most jobs have not: a None takes `sqlite3` longer than any number
    special = list(map(_special, jobs)).count(_NOTHING) < len(jobs)
    if special:
        rows = [(*row, *_special_columns(job)) for row, job in zip(rows, jobs, strict=True)]
    changed = tx.insert("accept_special_job" if special else "accept_job", rows)
    new = [True] * len(jobs)
    if changed < len(jobs):
        stored = {seq for (seq,) in tx.all("accept_stored", first=first)}
        new = [seq in stored for seq in seqs]
        seqs, jobs = list(compress(seqs, new)), list(compress(jobs, new))
        states = list(compress(states, new))
    _insert_messages(tx, seqs, list(map(_message, jobs)))
    tx.write_events()  # those that came before
    tx.one("accept_events", first=first, last=first + len(new) - 1)
    come = Counter(zip(map(_operation, jobs), states, strict=True))
    for (operation, state), count in come.items():
        tx.tally[operation, state] += count
    if special:
        for lane in filter(None, (job.lane for job in jobs)):
            tx.let_out(lane.name, lane.width)
    if jobs:
        tx.topics.update((Topic.WORK, Topic.EVENTS))
    return new


def _insert_messages(tx: Transaction, seqs: Sequence[int], messages: Sequence[Message]) -> None:
    # `sqlite3` looks for an adapter for bytes, which takes longer than to copy them to a bytearray
    columns = [seqs, map(bytearray, map(_payload, messages))]
    plain = not any(map(_params, messages)) and not any(map(_headers, messages))
    if not plain:
        columns += [map(bytearray, map(part, messages)) for part in (_params, _headers)]
    query = "accept_message" if plain else "accept_special_message"
    tx.insert(query, list(zip(*columns, strict=True)))


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

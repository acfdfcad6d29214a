"""What a job's record said at one of its events, worked out from what it says now.

Only states and times of events are stored. A record keeps its attempts with their times, so nearly
all of an earlier record can be told from a later one; the rest is left out, never made up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...attempt.settle import UNCOUNTED
from ...engine.values import Event
from ...job import Attempt, JobRecord, JobState, Outcome


def event_of(record: JobRecord) -> Event:
    """The event that made the record what it is now; without a cursor."""
    running = record.state is JobState.RUNNING and record.progress is not None
    started = record.attempts[-1].started if record.attempts else record.updated
    return Event(
        job_id=record.id,
        sequence=record.revision,
        state=record.state,
        at=record.updated,
        owner=record.owner,
        progress=running and record.updated > started,
    )


def as_of(record: JobRecord, event: Event) -> JobRecord:
    """The record at the moment of the event: no result, and no attempt, that came later."""
    if event.sequence >= record.revision:
        return record
    ended = _ended_by(record.attempts, event)
    counts = _counted(record)
    counted = record.attempt - sum(counts[ended:])
    attempts = record.attempts[:ended]
    if event.state is JobState.RUNNING and ended < len(record.attempts):
        attempts = (*attempts, _open(record.attempts[ended]))
        counted += 1  # it counts until it ends otherwise
    failed = event.state is JobState.FAILED and attempts  # before it was sent again
    return replace(
        record,
        state=event.state,
        revision=event.sequence,
        updated=event.at,
        started=record.started if attempts else None,
        finished=event.at if event.state.done else None,
        expires=None,
        due=None,
        attempt=max(0, counted),
        starts=record.starts - len(record.attempts) + len(attempts),
        attempts=attempts,
        suspect=False,
        progress=record.progress if event.progress else None,
        answer=None,
        error=attempts[-1].error if failed else None,
        kind=None,
        cause=None,
    )


def _ended_by(attempts: Sequence[Attempt], event: Event) -> int:
    """How many of the attempts had ended by then.

    Times decide. Where they are equal, as under a clock that stands still: each attempt has an
    event when it starts and one when it ends, runs repeated after a conflict aside, and a job has
    one before all of them.
    """
    running = event.state is JobState.RUNNING
    most = event.sequence // 2 - 1 if running else (event.sequence - 1) // 2
    if attempts and attempts[0].number > 1:
        most += attempts[0].number - 1  # the earliest are not kept: times alone decide
    repeated = False
    for place, attempt in enumerate(attempts):
        most -= not repeated
        if attempt.finished is None or attempt.finished > event.at or most < 0:
            return place
        repeated = attempt.outcome is Outcome.CONFLICT
    return len(attempts)


def _open(attempt: Attempt) -> Attempt:
    return replace(attempt, outcome=None, error=None, exception=None, finished=None)


def _counted(record: JobRecord) -> list[bool]:
    """Which attempts count: of the lost ones, as many of the last as the record counts."""
    counted = [
        attempt.outcome is not Outcome.LEASE_LOST and attempt.outcome not in UNCOUNTED
        for attempt in record.attempts
    ]
    lost = record.attempt - sum(counted)
    for place in range(len(counted) - 1, -1, -1):
        if lost > 0 and record.attempts[place].outcome is Outcome.LEASE_LOST:
            counted[place] = True
            lost -= 1
    return counted

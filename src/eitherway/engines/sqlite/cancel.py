"""Ending jobs from outside, and hiding those that have ended."""

from __future__ import annotations

from collections.abc import Sequence

from ...engine.cancellation import Cancellation
from ...engine.stored import append_attempts
from ...engine.values import Lease
from ...job import Attempt, JobState, Outcome
from .accept import insert
from .rows import FREE, HeldRow, JobRow
from .transaction import ENDED, Transaction

_CANCELED = JobState.CANCELED.value


def cancel(tx: Transaction, calls: Sequence[Sequence[Cancellation]]) -> list[list[bool]]:
    """End jobs; False where there is none, or it has ended."""
    return [[_cancel(tx, wanted) for wanted in call] for call in calls]


def hide(tx: Transaction, calls: Sequence[Sequence[str]]) -> list[list[bool]]:
    """Mark jobs that have ended; False where there is none, or it is marked."""
    return [[_hide(tx, job_id) for job_id in call] for call in calls]


def let_go(tx: Transaction, lease: Lease) -> bool:
    """The holder of a canceled job has returned: free what it held. True the first time alone."""
    found = tx.one("canceled", id=lease.job_id, token=lease.token)
    if found is not None:
        _let_go(tx, HeldRow(*found))
    return found is not None


def let_go_lapsed(tx: Transaction, count: int) -> None:
    """Free what the holders of canceled jobs held, where their leases are over."""
    for found in tx.all("canceled_lapsed", now=tx.now, count=count):
        _let_go(tx, HeldRow(*found))


def _cancel(tx: Transaction, wanted: Cancellation) -> bool:
    found = tx.one("job", id=wanted.job_id)
    if found is None or JobState(JobRow(*found).state).done:
        return False
    row = tx.fallen_due(JobRow(*found))
    # Whoever holds it goes on for a moment: its places, in limits and lane, are free after that.
    leaves = row.lease_until is None and row.place != FREE
    tx.one(
        "cancel",
        seq=row.seq,
        revision=row.revision + 1,
        at=wanted.at,
        expires=wanted.expires,
        attempts=append_attempts(row.attempts, _ended(row, wanted.at)),
        place=FREE if leaves else row.place,
    )
    tx.add_event(row.seq, row.revision + 1, _CANCELED, wanted.at, row.owner)
    tx.count(row.operation, row.state, None, -1)
    tx.count(row.operation, _CANCELED, None, 1)
    tx.count(row.operation, ENDED, None, 1)
    if leaves:
        tx.let_out(row.lane, row.width)
    if wanted.jobs:
        insert(tx, wanted.jobs)
    return True


def _ended(row: JobRow, at: float) -> list[Attempt]:
    """The attempt that this ends."""
    if row.state != JobState.RUNNING or row.attempt_started is None:
        return []
    return [
        Attempt(
            number=row.starts, outcome=Outcome.CANCELED, started=row.attempt_started, finished=at
        )
    ]


def _hide(tx: Transaction, job_id: str) -> bool:
    found = tx.one("job", id=job_id)
    if found is None:
        return False
    row = JobRow(*found)
    if row.hidden or not JobState(row.state).done:
        return False
    tx.one("hide", seq=row.seq)
    return True


def _let_go(tx: Transaction, row: HeldRow) -> None:
    tx.one("let_go", seq=row.seq)
    if row.uses is not None:
        tx.free(row.uses, row.keys)
    if row.place != FREE:
        tx.let_out(row.lane, row.width)

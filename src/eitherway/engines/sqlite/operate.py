"""What operators do: dead letters sent again or deleted, operations paused, jobs counted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from ...engine.values import Flow, OperationStatistics, Redrive
from ...engine.waking import Topic
from ...job import WAITING, JobState
from .purge import delete
from .reader import Reader
from .transaction import DEAD, Transaction
from .waiting import earliest, paused_operations

_ANY_VERSION = 2**63 - 1


def redrive(tx: Transaction, calls: Sequence[Sequence[Redrive]]) -> list[list[bool]]:
    """Queue dead letters again; False where it is none."""
    return [[_redrive(tx, wanted) for wanted in call] for call in calls]


def discard(tx: Transaction, calls: Sequence[Sequence[str]]) -> list[list[bool]]:
    """Delete dead letters; False where it is none."""
    return [[_discard(tx, job_id) for job_id in call] for call in calls]


def pause(tx: Transaction, calls: Sequence[tuple[Sequence[str], bool]]) -> list[None]:
    """Stop handing out the jobs of operations, or go on."""
    for operations, paused in calls:
        tx.each("pause" if paused else "resume", [(operation,) for operation in operations])
        if not paused:
            tx.topics.add(Topic.WORK)
    return [None] * len(calls)


def statistics(reader: Reader, now: float) -> list[OperationStatistics]:
    """Where the jobs of every operation are, by its name."""
    paused = paused_operations(reader)
    counts: dict[str, dict[str, int]] = {operation: defaultdict(int) for operation in paused}
    for operation, state, count, fallen_due in reader.all("statistics", now=now):
        states = counts.setdefault(operation, defaultdict(int))
        states[state] += count - fallen_due
        states[JobState.QUEUED] += fallen_due
    return [
        OperationStatistics(
            operation=operation,
            counts={state: states[state] for state in JobState},
            dead=states[DEAD],
            oldest_due=_oldest_due(reader, operation) if _waits(states) else None,
            paused=operation in paused,
        )
        for operation, states in sorted(counts.items())
    ]


def waiting(reader: Reader, operations: Sequence[str]) -> list[int]:
    """How many jobs of each operation wait."""
    return [reader.all("waiting", operation=operation)[0][0] for operation in operations]


def flow(reader: Reader, operations: Sequence[str]) -> list[Flow]:
    """How the queue of each operation moves."""
    rows = [reader.all("flow", operation=operation)[0] for operation in operations]
    return [Flow(waiting=waiting, ended=ended) for waiting, ended in rows]


def _redrive(tx: Transaction, wanted: Redrive) -> bool:
    found = tx.one("dead_letter", id=wanted.job_id)
    if found is None:
        return False
    seq, operation, revision, attempt, lane, width, owner = found
    tx.one(
        "redrive",
        seq=seq,
        revision=revision + 1,
        at=wanted.at,
        due=wanted.due,
        deadline=wanted.deadline,
        attempts_max=attempt + wanted.attempts,
    )
    if wanted.message is not None:
        message = wanted.message
        parts = {name: getattr(message, name) for name in ("payload", "params", "headers")}
        tx.one("edit_message", seq=seq, **parts)
    tx.add_event(seq, revision + 1, JobState.QUEUED, wanted.at, owner)
    tx.count(operation, JobState.FAILED, None, -1)
    tx.count(operation, JobState.QUEUED, None, 1)
    tx.topics.add(Topic.WORK)
    if lane is not None:
        tx.let_out(lane, width)
    return True


def _discard(tx: Transaction, job_id: str) -> bool:
    found = tx.one("dead_letter", id=job_id)
    if found is None:
        return False
    seq, operation, *_ = found
    delete(tx, [seq])
    tx.count(operation, JobState.FAILED, None, -1)
    return True


def _waits(states: dict[str, int]) -> bool:
    return any(states[state] for state in WAITING)


def _oldest_due(reader: Reader, operation: str) -> float | None:
    firsts = [earliest(reader, operation, _ANY_VERSION, alone=alone) for alone in (False, True)]
    return min((due for due in firsts if due is not None), default=None)

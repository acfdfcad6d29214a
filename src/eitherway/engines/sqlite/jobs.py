"""Accepting, leasing and purging jobs. (Settling: `settle.py`.)"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...engine.values import Delivery, Demand, Extension, Lease, Message, NewJob, Overdue
from ...job import JobRecord, JobState
from .reader import Reader
from .rows import WIDTH, HeldRow, JobRow, to_record, to_text
from .transaction import Transaction
from .wake import Topic

_SCHEDULED, _QUEUED, _RUNNING = (
    state.value for state in (JobState.SCHEDULED, JobState.QUEUED, JobState.RUNNING)
)
_PARKED_MAX = 1000  # jobs past their deadline that one receive sets aside


def accept(tx: Transaction, calls: Sequence[Sequence[NewJob]]) -> list[list[bool]]:
    """Store the jobs of every call; True where one is new."""
    new = iter(insert(tx, [job for call in calls for job in call]))
    return [[next(new) for _ in call] for call in calls]


def insert(tx: Transaction, jobs: Sequence[NewJob]) -> list[bool]:
    """Store jobs with their messages; True where one is new, also within `jobs`."""
    (first,) = tx.one("accept_next")
    changed = tx.each("accept_job", [_columns(seq, job) for seq, job in enumerate(jobs, first)])
    stored = set(range(first, first + len(jobs)))
    if changed < len(jobs):
        stored = {seq for (seq,) in tx.all("accept_stored", first=first)}
    new = [(seq, job) for seq, job in enumerate(jobs, first) if seq in stored]
    tx.each(
        "accept_message",
        [(seq, job.message.payload, job.message.params, job.message.headers) for seq, job in new],
    )
    for seq, job in new:
        state = _first_state(job)
        tx.add_event(seq, 1, state, job.created)
        tx.tally[job.operation, state] += 1
    if new:
        tx.topics.add(Topic.WORK)
    return [seq in stored for seq in range(first, first + len(jobs))]


def receive(tx: Transaction, calls: Sequence[tuple[str, Sequence[Demand]]]) -> list[list[Delivery]]:
    """Lease due jobs to a holder, as many as each demand asks for."""
    paused = {operation for (operation,) in tx.all("paused")}
    return [
        [
            found
            for demand in demands
            if demand.operation not in paused
            for found in _receive(tx, holder, demand)
        ]
        for holder, demands in calls
    ]


def extend(tx: Transaction, calls: Sequence[Sequence[Extension]]) -> list[list[bool]]:
    """Hold leases longer; False where one is lost."""
    return [[_extend(tx, extension) for extension in call] for call in calls]


@dataclass(frozen=True, kw_only=True, slots=True)
class TakeOver:
    """One call of `overdue`: by whom, and which other holders are dead."""

    holder: str
    dead: Sequence[str]
    count: int
    lease_seconds: float


def overdue(tx: Transaction, calls: Sequence[TakeOver]) -> list[list[Overdue]]:
    """Take over jobs whose lease lapsed, then those whose deadline passed as they waited."""
    return [_overdue(tx, call) for call in calls]


def purge(tx: Transaction, calls: Sequence[int]) -> list[int]:
    """Delete records past their retention, with all that belongs to them."""
    purged = []
    for count in calls:
        found = tx.all("purgeable", now=tx.now, count=count)
        for _, operation, state, kind in found:
            tx.count(operation, state, kind, -1)
        delete(tx, [seq for seq, *_ in found])
        purged.append(len(found))
    return purged


def delete(tx: Transaction, seqs: Sequence[int]) -> None:
    """Delete jobs with all that belongs to them."""
    for query in ("purge_event", "purge_message", "purge_job"):
        tx.each(query, [(seq,) for seq in seqs])


def get(reader: Reader, ids: Sequence[str], now: float) -> list[JobRecord | None]:
    """The records as they are, None where there is none."""
    found = [reader.all("job", id=job_id) for job_id in ids]
    return [to_record(JobRow._make(rows[0]), now) if rows else None for rows in found]


def messages(reader: Reader, ids: Sequence[str]) -> list[Message | None]:
    """What was asked, None where there is no such job."""
    found = [reader.all("message", id=job_id) for job_id in ids]
    return [_message(rows[0]) if rows else None for rows in found]


def _columns(seq: int, job: NewJob) -> tuple[object, ...]:
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


def _message(columns: tuple[bytes, bytes, bytes]) -> Message:
    payload, params, headers = columns
    return Message(payload=payload, params=params, headers=headers)


def _first_state(job: NewJob) -> str:
    return _SCHEDULED if job.due > job.created else _QUEUED


def _receive(tx: Transaction, holder: str, demand: Demand) -> list[Delivery]:
    deliveries: list[Delivery] = []
    parked = 0
    while len(deliveries) < demand.count and parked < _PARKED_MAX:
        found = _receivable(tx, demand, demand.count - len(deliveries))
        alive = [(row, message) for row, message in found if row.deadline > tx.now]
        late = [row for row, _ in found if row.deadline <= tx.now]
        deliveries += _lease(tx, holder, demand, alive)
        # So that the next receive does not come across it again; `overdue` finds it at once.
        tx.each("park", [(tx.now, row.seq) for row in late])
        parked += len(late)
        if not late:
            break
    return deliveries


def _receivable(tx: Transaction, demand: Demand, count: int) -> list[tuple[JobRow, Message]]:
    """The first due jobs. Version by version, so that too new ones are not even passed over."""
    where = {"operation": demand.operation, "suspect": demand.alone}
    found: list[tuple[JobRow, Message]] = []
    for (version,) in tx.all("versions", version_max=demand.version_max, **where):
        rows = tx.all("receivable", version=version, now=tx.now, count=count, **where)
        found += [(JobRow._make(row[:WIDTH]), _message(row[WIDTH:])) for row in rows]
    found.sort(key=lambda pair: (pair[0].due, pair[0].seq))
    return found[:count]


def _lease(
    tx: Transaction, holder: str, demand: Demand, found: Sequence[tuple[JobRow, Message]]
) -> list[Delivery]:
    until, alone = tx.now + demand.lease_seconds, int(demand.alone)
    rows, deliveries = [], []
    for waiting, message in found:
        row = tx.fallen_due(waiting)
        leased = row._replace(
            state=_RUNNING,
            revision=row.revision + 1,
            updated=tx.now,
            started=tx.now if row.started is None else row.started,
            attempt=row.attempt + 1,
            starts=row.starts + 1,
            token=row.token + 1,
            attempt_started=tx.now,
        )
        tx.add_event(row.seq, leased.revision, _RUNNING, tx.now)
        tx.count(row.operation, row.state, None, -1)
        tx.count(row.operation, _RUNNING, None, 1)
        start = (tx.now, leased.started, alone, leased.token, until, tx.now, holder)
        rows.append((leased.revision, *start, row.seq))
        lease = Lease(job_id=row.id, token=leased.token, alone=demand.alone)
        deliveries.append(Delivery(lease=lease, job=to_record(leased, tx.now), message=message))
    tx.each("receive", rows)
    return deliveries


def _extend(tx: Transaction, extension: Extension) -> bool:
    lease = extension.lease
    found = tx.one("held", id=lease.job_id, token=lease.token)
    if found is None:
        return False
    held = HeldRow._make(found)
    tx.one("extend", seq=held.seq, lease_until=tx.now + extension.lease_seconds)
    if extension.progress is not None:
        progress = to_text(extension.progress)
        revision = held.revision + 1
        tx.one("progress", seq=held.seq, progress=progress, revision=revision, now=tx.now)
        tx.add_event(held.seq, revision, held.state, tx.now, progress=True)
    return True


def _overdue(tx: Transaction, call: TakeOver) -> list[Overdue]:
    tx.each("dead", [(tx.now, name) for name in call.dead])
    found = tx.all("lapsed", now=tx.now, count=call.count)
    found += tx.all("expired", now=tx.now, count=call.count - len(found))
    rows = [JobRow._make(row) for row in found]
    until = tx.now + call.lease_seconds
    tx.each("take_over", [(until, call.holder, row.seq) for row in rows])
    return [
        Overdue(
            lease=Lease(job_id=row.id, token=row.token + 1, alone=False),
            job=to_record(row, tx.now),
            lost_alone=bool(row.alone),
        )
        for row in rows
    ]

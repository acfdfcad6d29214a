"""Leasing jobs. (Accepting: `accept.py`; settling: `settle.py`.)"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...engine.limits import LimitRule
from ...engine.stored import to_text
from ...engine.values import (
    Delivery,
    Demand,
    Extension,
    Lease,
    Message,
    Overdue,
)
from ...job import JobRecord, JobState
from . import idempotency
from .cancel import let_go_lapsed
from .reader import Reader
from .rows import FREE, LET_OUT, WIDTH, HeldRow, JobRow, keys_of, to_leased, to_record
from .transaction import Transaction

_RUNNING = JobState.RUNNING.value
_PLACES: Mapping[str | None, int] = {"started": FREE, "attempted": LET_OUT}
"""Of a job that starts: it leaves its lane, or holds its place there even if it had none."""

_PASSED_MAX = 1000  # jobs that one receive sets aside
_PUT_OFF_SECONDS = 0.02  # until it is looked at again whether a key has room
_PUT_OFF_SECONDS_MAX = 1.0


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


def get(reader: Reader, ids: Sequence[str], now: float) -> list[JobRecord | None]:
    """The records as they are, None where there is none."""
    found = [reader.all("job", id=job_id) for job_id in ids]
    return [to_record(JobRow._make(rows[0]), now) if rows else None for rows in found]


def messages(reader: Reader, ids: Sequence[str]) -> list[Message | None]:
    """What was asked, None where there is no such job."""
    found = [reader.all("message", id=job_id) for job_id in ids]
    return [_message(rows[0]) if rows else None for rows in found]


def _message(columns: tuple[bytes, bytes, bytes]) -> Message:
    payload, params, headers = columns
    return Message(payload=payload, params=params, headers=headers)


def _receive(tx: Transaction, holder: str, demand: Demand) -> list[Delivery]:
    """Lease the first due jobs, as many as the limits allow."""
    common = [rule for rule in demand.limits if not rule.keyed]
    keyed = [rule for rule in demand.limits if rule.keyed]
    count = min(demand.count, tx.limits.room(common, {})[0])
    if count <= 0:
        tx.limits.want(common, {})
    deliveries: list[Delivery] = []
    passed = 0  # jobs set aside: past their deadline, or put off because their key has no room
    while len(deliveries) < count and passed < _PASSED_MAX:
        found = _receivable(tx, demand, count - len(deliveries))
        alive = [(row, message) for row, message in found if row.deadline > tx.now]
        late = [row for row, _ in found if row.deadline <= tx.now]
        # So that the next receive does not come across it again; `overdue` finds it at once.
        tx.each("park", [(tx.now, row.seq) for row in late])
        able = _with_room(tx, keyed, alive) if keyed else alive
        deliveries += _lease(tx, holder, demand, able)
        aside = len(late) + len(alive) - len(able)
        passed += aside
        if not aside:
            break
    if deliveries:
        tx.limits.start(common, {}, len(deliveries))
    return deliveries


def _with_room(
    tx: Transaction, rules: Sequence[LimitRule], found: Sequence[tuple[JobRow, Message]]
) -> list[tuple[JobRow, Message]]:
    """Those whose keys have room, which is taken; the others are set aside."""
    able = []
    behind: Counter[str] = Counter()
    started: set[str | None] = set()  # lanes that a job of this claim will leave
    for row, message in found:
        room, wait = tx.limits.room(rules, keys_of(row))
        if room > 0:
            tx.limits.start(rules, keys_of(row))
            able.append((row, message))
            if row.until == "attempted":
                started.add(row.lane)
        elif row.lane in started or _is_out_beside(tx, row):
            tx.one("back_into_lane", seq=row.seq)  # the next one to leave lets it out
        else:  # calls hold the key's places, or it is its rate
            tx.limits.want(rules, keys_of(row))
            behind[row.keys or ""] += 1
            seconds = wait * behind[row.keys or ""]
            seconds = min(max(seconds, _PUT_OFF_SECONDS), _PUT_OFF_SECONDS_MAX)
            tx.each("put_off", [(tx.now + seconds, row.seq)])
    return able


def _is_out_beside(tx: Transaction, row: JobRow) -> bool:
    """Whether another job of its lane is out, and will make room for it."""
    if row.until != "attempted":
        return False
    return tx.one("out_beside", lane=row.lane, seq=row.seq) is not None


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
    uses = "\n".join(rule.name for rule in demand.limits) or None
    rows, deliveries, left = [], [], []
    for waiting, message in found:
        row = tx.fallen_due(waiting)
        record, token = to_leased(row, tx.now), row.token + 1
        tx.add_event(row.seq, record.revision, _RUNNING, tx.now, row.owner)
        tx.count(row.operation, row.state, None, -1)
        tx.count(row.operation, _RUNNING, None, 1)
        start = (tx.now, record.started, alone, token, until, tx.now, holder)
        place = _PLACES.get(row.until, row.place)
        rows.append((record.revision, *start, uses, place, row.seq))
        if row.until == "started":
            left.append(row)
        lease = Lease(job_id=row.id, token=token, alone=demand.alone)
        deliveries.append(Delivery(lease=lease, job=record, message=message, keys=keys_of(row)))
    tx.each("receive", rows)
    for row in left:
        tx.let_out(row.lane, row.width)
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
        tx.add_event(held.seq, revision, held.state, tx.now, held.owner, progress=True)
    return True


def _overdue(tx: Transaction, call: TakeOver) -> list[Overdue]:
    tx.each("dead", [(tx.now, name) for name in call.dead])
    tx.each("unshare_dead", [(name,) for name in call.dead])
    let_go_lapsed(tx, call.count)
    idempotency.release_dead(tx, call.dead)
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

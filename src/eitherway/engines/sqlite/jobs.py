"""Leasing jobs. (Accepting: `accept.py`; settling: `settle.py`.)"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

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
from .due import Due, to_due, to_held, to_leased, to_message
from .reader import Reader
from .rows import HeldRow, JobRow, keys_of, to_record
from .transaction import Transaction

_QUEUED = JobState.QUEUED.value
_RUNNING = JobState.RUNNING.value
_SCHEDULED = JobState.SCHEDULED.value

_PASSED_MAX = 1000  # jobs that one receive sets aside
_PUT_OFF_SECONDS = 0.02  # until it is looked at again whether a key has room
_PUT_OFF_SECONDS_MAX = 1.0
_NO_KEYS: Mapping[str, str] = {}
_STATE = attrgetter("rest.state")


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
    return [to_record(JobRow(*rows[0]), now) if rows else None for rows in found]


def messages(reader: Reader, ids: Sequence[str]) -> list[Message | None]:
    """What was asked, None where there is no such job."""
    found = [reader.all("message", id=job_id) for job_id in ids]
    return [_message(*rows[0]) if rows else None for rows in found]


def _message(payload: bytes, params: bytes, headers: bytes) -> Message:
    return Message(payload, params, headers)


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
        late = [row for row in found if row.deadline <= tx.now]
        alive = [row for row in found if row.deadline > tx.now] if late else found
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


def _with_room(tx: Transaction, rules: Sequence[LimitRule], found: Sequence[Due]) -> list[Due]:
    """Those whose keys have room, which is taken; the others are set aside."""
    able = []
    behind: Counter[str] = Counter()
    started: set[str | None] = set()  # lanes that a job of this claim will leave
    for row in found:
        keys = keys_of(row.rest.keys)
        room, wait = tx.limits.room(rules, keys)
        if room > 0:
            tx.limits.start(rules, keys)
            able.append(row)
            if row.rest.until == "attempted":
                started.add(row.rest.lane)
        elif row.rest.lane in started or _is_out_beside(tx, row):
            tx.one("back_into_lane", seq=row.seq)  # the next one to leave lets it out
        else:  # calls hold the key's places, or it is its rate
            tx.limits.want(rules, keys)
            behind[row.rest.keys or ""] += 1
            seconds = wait * behind[row.rest.keys or ""]
            seconds = min(max(seconds, _PUT_OFF_SECONDS), _PUT_OFF_SECONDS_MAX)
            tx.each("put_off", [(tx.now + seconds, row.seq)])
    return able


def _is_out_beside(tx: Transaction, row: Due) -> bool:
    """Whether another job of its lane is out, and will make room for it."""
    if row.rest.until != "attempted":
        return False
    return tx.one("out_beside", lane=row.rest.lane, seq=row.seq) is not None


def _receivable(tx: Transaction, demand: Demand, count: int) -> list[Due]:
    """The first due jobs. Version by version, so that too new ones are not even passed over."""
    where = {"operation": demand.operation, "suspect": demand.alone}
    versions = tx.all("versions", version_max=demand.version_max, **where)
    found: list[Due] = []
    for (version,) in versions:
        rows = tx.all("receivable", version=version, now=tx.now, count=count, **where)
        found += [to_due(version, row) for row in rows]
    if len(versions) > 1:
        found.sort(key=lambda row: (row.due, row.seq))
    return found[:count]


def _lease(tx: Transaction, holder: str, demand: Demand, found: Sequence[Due]) -> list[Delivery]:
    """Lease these, in statements for all of them."""
    if not found:
        return []
    rows = [row if row.rest.state != _SCHEDULED else _fallen_due(tx, demand, row) for row in found]
    for state, count in Counter(map(_STATE, rows)).items():
        tx.count(demand.operation, state, None, -count)
    tx.count(demand.operation, _RUNNING, None, len(rows))
    seqs = [row.seq for row in rows]
    uses = "\n".join(rule.name for rule in demand.limits) or None
    tx.one(
        "receive",
        seqs=to_text(seqs),
        now=tx.now,
        until=tx.now + demand.lease_seconds,
        alone=int(demand.alone),
        holder=holder,
        uses=uses,
    )
    rests = {id(row.rest): row.rest for row in rows}.values()  # most have one and the same
    tx.add_events(seqs, {(rest.revision + 1, _RUNNING, tx.now, rest.owner) for rest in rests})
    for row in rows:
        if row.rest.until == "started":
            tx.let_out(row.rest.lane, row.rest.width)
    tx.claimed.add(
        to_held(row, demand.operation, tx.now, uses) for row in rows if row.rest.lane is None
    )
    return [
        Delivery(
            Lease(row.id, row.rest.token + 1, demand.alone),
            to_leased(row, demand.operation, tx.now),
            to_message(row),
            _NO_KEYS if row.rest.keys is None else keys_of(row.rest.keys),
        )
        for row in rows
    ]


def _fallen_due(tx: Transaction, demand: Demand, row: Due) -> Due:
    """A scheduled job as it has been since it fell due: queued, a revision on."""
    rest = replace(row.rest, state=_QUEUED, revision=row.rest.revision + 1)
    tx.note_due(demand.operation, row.seq, rest.revision, row.due, rest.owner)
    return replace(row, rest=rest)


def _extend(tx: Transaction, extension: Extension) -> bool:
    lease = extension.lease
    found = tx.one("held", id=lease.job_id, token=lease.token)
    if found is None:
        return False
    held = HeldRow(*found)
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
    rows = [JobRow(*row) for row in found]
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

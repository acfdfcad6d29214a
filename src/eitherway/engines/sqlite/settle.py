"""Settling: an attempt's items, enqueued jobs and record, together or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...engine.stored import append_attempts, to_text
from ...engine.values import Finish, NewJob, Settled, Settlement, SettleStatus, Work
from ...engine.waking import Topic
from ...errors import TransitionError
from ...job import WAITING, JobState, check_transition
from . import idempotency
from .accept import insert
from .cancel import let_go
from .items import Items
from .rows import FREE, HeldRow, fallen_due
from .transaction import ENDED, Transaction

_DONE = Settled(status=SettleStatus.DONE)


def settle(
    tx: Transaction, calls: Sequence[Sequence[Settlement]]
) -> list[list[Settled] | TransitionError]:
    """Commit attempts, each by itself. A call that asks for an illegal transition fails whole."""
    group = _Group(
        tx, _held(tx, [finish for call in calls for one in call for finish in one.finishes])
    )
    results: list[list[Settled] | TransitionError] = []
    for call in calls:
        try:
            rows = [[group.held(finish) for finish in one.finishes] for one in call]
        except TransitionError as error:
            results.append(error)
        else:
            pairs = zip(call, rows, strict=True)
            results.append([group.decide(settlement, held) for settlement, held in pairs])
    group.write()
    return results


Held = Mapping[tuple[str, int], HeldRow]
"""Jobs by their ids and the tokens of the leases that hold them."""


def _held(tx: Transaction, finishes: Sequence[Finish]) -> Held:
    """Those that are to finish: found together, as one look-up costs little beside a query."""
    if not finishes:
        return {}
    ids = to_text([finish.lease.job_id for finish in finishes])
    return {(row[0], row[1]): HeldRow._make(row[2:]) for row in tx.all("held_of", ids=ids)}


class _Group:
    """The settlements of one transaction: decided one after the other, written together."""

    def __init__(self, tx: Transaction, held: Held) -> None:
        self._tx = tx
        self._held = held
        self._items = Items(tx)
        self._jobs: list[NewJob] = []
        self._records: list[tuple[Any, ...]] = []
        self._ended: set[int] = set()
        self._left: list[HeldRow] = []  # their lanes

    def held(self, finish: Finish) -> HeldRow | None:
        """The job as long as its lease holds; `TransitionError` if it cannot go there."""
        row = self._held.get((finish.lease.job_id, finish.lease.token))
        if row is None:
            return None
        check_transition(JobState(fallen_due(row, self._tx.now).state), finish.state)
        return row

    def decide(self, settlement: Settlement, rows: Sequence[HeldRow | None]) -> Settled:
        """What becomes of a settlement, after those before it."""
        held: list[tuple[Finish, HeldRow]] = []
        lost: list[str] = []
        canceled: list[str] = []
        for finish, row in zip(settlement.finishes, rows, strict=True):
            if row is None or row.seq in self._ended:
                lost.append(finish.lease.job_id)
                if let_go(self._tx, finish.lease):
                    canceled.append(finish.lease.job_id)
            else:
                held.append((finish, row))
        if lost:
            return Settled(
                status=SettleStatus.LEASE_LOST, lost=tuple(lost), canceled=tuple(canceled)
            )
        key = settlement.key
        if key is not None and not idempotency.holds(self._tx, key.hold):
            return Settled(status=SettleStatus.LEASE_LOST, lost=(key.hold.job_id,))
        work = settlement.work
        if work and (refused := self._do(work)) is not None:
            return refused
        for finish, row in held:
            self._finish(finish, self._tx.fallen_due(row))
            self._jobs += finish.jobs
        if key is not None:
            idempotency.end(self._tx, key)
        return _DONE

    def _do(self, work: Work) -> Settled | None:
        """Take an attempt's work over, or say why not."""
        conflicts = self._items.conflicts(work.checks)
        if conflicts:
            return Settled(status=SettleStatus.CONFLICT, conflicts=tuple(conflicts))
        wait_seconds = self._tx.buckets.charge(work.charges)
        if wait_seconds > 0:
            return Settled(status=SettleStatus.THROTTLED, wait_seconds=wait_seconds)
        self._items.apply(work.writes)
        self._jobs += work.jobs
        return None

    def write(self) -> None:
        """Store what was decided."""
        self._items.store()
        if self._jobs:
            insert(self._tx, self._jobs)
        self._tx.at_step("settle.items")
        self._tx.each("settle", self._records)
        for row in self._left:
            self._tx.let_out(row.lane, row.width)

    def _finish(self, finish: Finish, row: HeldRow) -> None:
        revision, state = row.revision + 1, finish.state.value
        waits = finish.state in WAITING
        due = finish.at if waits and finish.due is None else finish.due
        answer = finish.answer
        leaves = row.place != FREE and (finish.state.done or row.until != "ended")
        if leaves:
            self._left.append(row)
        self._ended.add(row.seq)
        self._records.append(
            (
                state,
                revision,
                finish.at,
                finish.at if finish.state.done else None,
                finish.expires,
                due,
                due if waits else None,
                finish.attempt,
                finish.starts,
                append_attempts(row.attempts, finish.attempts),
                int(finish.suspect),
                answer and answer.status,
                answer and answer.media_type,
                answer and answer.body,
                to_text(finish.error),
                finish.kind and finish.kind.value,
                finish.cause,
                FREE if leaves else row.place,
                row.seq,
            )
        )
        self._tx.free(row)
        self._tx.add_event(row.seq, revision, state, finish.at, row.owner)
        self._tx.count(row.operation, row.state, None, -1)
        self._tx.count(row.operation, state, finish.kind, 1)
        if finish.state.done:
            self._tx.count(row.operation, ENDED, None, 1)
        if waits:
            self._tx.topics.add(Topic.WORK)

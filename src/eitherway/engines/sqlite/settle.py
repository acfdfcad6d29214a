"""Settling: an attempt's items, enqueued jobs and record, together or not at all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import starmap
from typing import Any

from ...engine.stored import append_attempts, to_text
from ...engine.values import Finish, NewJob, Settled, Settlement, SettleStatus, Work
from ...engine.waking import Topic
from ...errors import TransitionError
from ...job import TERMINAL, JobState, check_transition
from . import idempotency
from .accept import insert
from .cancel import let_go
from .items import Items
from .rows import FREE, STATES, WORDS, HeldRow, fallen_due, says_all
from .transaction import ENDED, Transaction

_RUNNING = JobState.RUNNING.value
_DONE = Settled(status=SettleStatus.DONE)

_Move = tuple[str, str, str, str | None, str | None, str | None]
"""A job's operation, its state before and after, why it failed, the limits it used, its keys."""

_Record = tuple[Any, ...]
"""What a job's row says from its settlement on, but for the body of its answer."""

_End = tuple[Finish, HeldRow | None]
"""Where a job is to go, and the job as long as its lease holds."""


def settle(
    tx: Transaction, calls: Sequence[Sequence[Settlement]]
) -> list[list[Settled] | TransitionError]:
    """Commit attempts, each by itself. A call that asks for an illegal transition fails whole."""
    ends = [[(one, one.finishes) for one in call] for call in calls]
    group = _Group(tx, [finish for call in ends for _, some in call for finish in some])
    results: list[list[Settled] | TransitionError] = []
    for call in ends:
        try:
            held = [(one, [(each, group.held(each)) for each in some]) for one, some in call]
        except TransitionError as error:
            results.append(error)
        else:
            results.append([group.decide(one, some) for one, some in held])
    group.write()
    return results


class _Group:
    """The settlements of one transaction: decided one after the other, written together."""

    def __init__(self, tx: Transaction, finishes: Sequence[Finish]) -> None:
        self._tx = tx
        self._held = _held(tx, finishes)
        self._items = Items(tx)
        self._jobs: list[NewJob] = []
        self._owners: dict[int, str | None] = {}  # of those that end, by their seqs
        self._alike: defaultdict[tuple[_Move, _Record], dict[int, bytes | None]]
        self._alike = defaultdict(dict)
        self._left: list[HeldRow] = []  # their lanes

    def held(self, finish: Finish) -> HeldRow | None:
        """The job as long as its lease holds; `TransitionError` if it cannot go there."""
        row = self._held.get(finish.lease.job_id)
        if row is None or row.token != finish.lease.token:
            return None
        state = row.state if row.state == _RUNNING else fallen_due(row, self._tx.now).state
        check_transition(STATES[state], finish.state)
        return row

    def decide(self, settlement: Settlement, ends: Sequence[_End]) -> Settled:
        """What becomes of a settlement, after those before it."""
        held = []
        for finish, row in ends:
            if row is None or row.seq in self._owners:
                return self._lost(ends)
            held.append((finish, row))
        key = settlement.key
        if key is not None and not idempotency.holds(self._tx, key.hold):
            return Settled(status=SettleStatus.LEASE_LOST, lost=(key.hold.job_id,))
        work = settlement.work
        if work and (refused := self._do(work)) is not None:
            return refused
        for finish, row in held:
            self._finish(finish, row if row.state == _RUNNING else self._tx.fallen_due(row))
            self._jobs += finish.jobs
        if key is not None:
            idempotency.end(self._tx, key)
        return _DONE

    def _lost(self, ends: Sequence[_End]) -> Settled:
        """Nothing is written; what was canceled is let go of."""
        leases = [one.lease for one, row in ends if row is None or row.seq in self._owners]
        return Settled(
            status=SettleStatus.LEASE_LOST,
            lost=tuple(lease.job_id for lease in leases),
            canceled=tuple(lease.job_id for lease in leases if let_go(self._tx, lease)),
        )

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
        self._tx.at_step("settle.items")
        for (_, record), answers in self._alike.items():
            self._write(record, answers)
        for (_, (state, revision, at, *_)), answers in self._alike.items():
            became = {(revision, state, at, self._owners[seq]) for seq in answers}
            self._tx.add_events(list(answers), became)
        if self._jobs:  # a job ends before those that it asks for are told of
            insert(self._tx, self._jobs)
        for (move, _), answers in self._alike.items():
            self._count(move, len(answers))
        for row in self._left:
            self._tx.let_out(row.lane, row.width)

    def _write(self, record: _Record, answers: Mapping[int, bytes | None]) -> None:
        """Write what jobs have become that differ in their answers alone, if at all."""
        bodies = set(answers.values())
        body = bodies.pop() if len(bodies) == 1 else None
        self._tx.each_of("settle", (*record, body), list(answers))
        if bodies:
            self._tx.each("answer", [(body, seq) for seq, body in answers.items()])

    def _count(self, move: _Move, count: int) -> None:
        """Count jobs where they are now, and free what they no longer use."""
        operation, before, after, kind, uses, keys = move
        self._tx.count(operation, before, None, -count)
        self._tx.count(operation, after, kind, count)
        if STATES[after] in TERMINAL:
            self._tx.count(operation, ENDED, None, count)
        else:
            self._tx.topics.add(Topic.WORK)
        if uses is not None:
            self._tx.free(uses, keys, count)

    def _finish(self, finish: Finish, row: HeldRow) -> None:
        state, at, due, answer = WORDS[finish.state], finish.at, finish.due, finish.answer
        kind = finish.kind and finish.kind.value
        done = finish.state in TERMINAL
        if not done and due is None:
            due = at
        leaves = row.place != FREE and (done or row.until != "ended")
        if leaves:
            self._left.append(row)
        said = says_all(row, finish)
        self._owners[row.seq] = row.owner
        record = (
            state,
            row.revision + 1,
            at,
            at if done else None,
            finish.expires,
            due,
            None if done else due,
            finish.attempt,
            finish.starts,
            row.attempts if said else append_attempts(row.attempts, finish.attempts),
            int(finish.suspect),
            row.attempt_started if said else None,
            answer and answer.status,
            answer and answer.media_type,
            to_text(finish.error),
            kind,
            finish.cause,
            FREE if leaves else row.place,
        )
        move = row.operation, row.state, state, kind, row.uses, row.keys
        self._alike[move, record][row.seq] = None if answer is None else answer.body


def _held(tx: Transaction, finishes: Sequence[Finish]) -> Mapping[str, HeldRow]:
    """Those that are to finish, by their ids: found together, which costs little beside a query."""
    if not finishes:
        return {}
    ids = [finish.lease.job_id for finish in finishes]
    if (claimed := tx.claimed.take(tx, ids)) is not None:
        return claimed
    return {row.id: row for row in starmap(HeldRow, tx.all("held_of", ids=to_text(ids)))}

"""Settling: an attempt's items, enqueued jobs and record, together or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ...engine.stored import append_attempts, to_text
from ...engine.values import Finish, NewJob, Settled, Settlement, SettleStatus
from ...errors import EngineError, EngineUnavailableError
from ...job import WAITING, check_transition
from . import buckets, items, keys, parts
from .accept import new_row
from .cancel import let_go
from .core import Core
from .extend import held_rows
from .rows import Row, fallen_due, moved
from .store import gathered, is_throttled, outcomes, whole
from .sweep import look_at
from .writes import Refused, Write, commit, create, swap

_TRIES = 8
_DONE = Settled(status=SettleStatus.DONE)
_BUSY_SECONDS = 1.0
"""After which an attempt that DynamoDB had no room for is tried again; the core adds jitter."""


async def settle(core: Core, settlements: Sequence[Settlement]) -> list[Settled]:
    """Commit attempts, each by itself. An illegal transition refuses the whole call.

    What DynamoDB would not take of one is said of that one: the others are settled, and told of.
    """
    core.store.at_step("settle.begun")
    now = core.store.now()
    leases = [finish.lease for one in settlements for finish in one.finishes]
    rows = iter(await held_rows(core, leases))
    known = [[next(rows) for _ in one.finishes] for one in settlements]
    for one, its_rows in zip(settlements, known, strict=True):
        for finish, row in zip(one.finishes, its_rows, strict=True):
            if row is not None and row.holds(finish.lease.token):
                check_transition(fallen_due(row, now).state, finish.state)
    attempts = [
        _Attempt(core, one, its_rows) for one, its_rows in zip(settlements, known, strict=True)
    ]
    settled = await outcomes(attempt.settle() for attempt in attempts)
    changes = [change for attempt in attempts for change in attempt.changes]
    if changes:
        await core.told(*changes)
        core.store.at_step("settle.hinted")
    return _told(settled)


def _told(settled: Sequence[Settled | BaseException]) -> list[Settled]:
    """What became of each; the first error where nothing became of any."""
    if all(isinstance(one, BaseException) for one in settled):
        return whole(settled)
    failed = [
        Settled(status=SettleStatus.FAILED, error=one) if isinstance(one, EngineError) else one
        for one in settled
    ]
    return whole(failed)


@dataclass(slots=True)
class _Attempt:
    """One settlement, tried until it is committed or known to be refused."""

    core: Core
    settlement: Settlement
    rows: Sequence[Row | None]
    changes: list[tuple[Row | None, Row | None]] = field(default_factory=list)
    known: set[str] = field(default_factory=set)  # jobs to enqueue that were accepted before

    async def settle(self) -> Settled:
        """What becomes of it."""
        work = self.settlement.work
        for _ in range(_TRIES):
            lost = await self._lost()
            if lost is not None:
                return lost
            wait_seconds = await buckets.charge(self.core.store, work.charges)
            if wait_seconds > 0:
                return Settled(status=SettleStatus.THROTTLED, wait_seconds=wait_seconds)
            try:
                settled = await self._commit()
            except BaseException as error:
                await buckets.give_back(self.core.store, work.charges)
                if isinstance(error, EngineUnavailableError) and work and is_throttled(error):
                    return Settled(status=SettleStatus.THROTTLED, wait_seconds=_BUSY_SECONDS)
                raise
            if settled is _DONE:
                return settled
            await buckets.give_back(self.core.store, work.charges)
            if settled is not None:
                return settled
        raise EngineUnavailableError("others write to the same items all the time")

    async def _lost(self) -> Settled | None:
        pairs = zip(self.settlement.finishes, self.rows, strict=True)
        lost = [
            (finish, row)
            for finish, row in pairs
            if row is None or not row.holds(finish.lease.token)
        ]
        if not lost:
            return None
        canceled = [
            finish.lease.job_id
            for finish, _ in lost
            if await let_go(self.core, finish.lease.job_id, finish.lease.token)
        ]
        for finish, row in lost:
            self.core.limits.forget(finish.lease)
            if row is not None and row.token == finish.lease.token:
                self.core.held.pop(row.id, None)
        return Settled(
            status=SettleStatus.LEASE_LOST,
            lost=tuple(finish.lease.job_id for finish, _ in lost),
            canceled=tuple(canceled),
        )

    async def _commit(self) -> Settled | None:
        """Try once. None: what was read has moved, look again."""
        core, settlement, now = self.core, self.settlement, self.core.store.now()
        ends = [
            (row, finished(row, finish, now))
            for finish, row in zip(settlement.finishes, self.rows, strict=True)
            if row is not None
        ]
        jobs = [new_row(job, now) for job in self._jobs()]
        key = None
        if settlement.key is not None:
            key = await keys.ending(core, settlement.key)
            if key is None:
                return Settled(status=SettleStatus.LEASE_LOST, lost=(settlement.key.hold.job_id,))
        await gathered(
            [
                *(parts.store_answer(core.store, after) for _, after in ends),
                *(parts.store_payload(core.store, job) for job in jobs),
            ]
        )
        creates = [create(core.store, job) for job in jobs]
        swaps = [swap(core.store, before, after) for before, after in ends]
        its_items = items.writes(core.store, settlement.work)
        refused = await commit(
            core.store, [*swaps, *its_items, *creates, *([] if key is None else [key])]
        )
        if refused:
            return await self._refused(refused, jobs, creates, its_items)
        core.store.at_step("settle.committed")
        await self._ended(ends, jobs)
        return _DONE

    def _jobs(self) -> list[NewJob]:
        """What is to be enqueued, each id once."""
        found: dict[str, NewJob] = {}
        enqueued = [job for finish in self.settlement.finishes for job in finish.jobs]
        for job in [*self.settlement.work.jobs, *enqueued]:
            if job.id not in self.known:
                found.setdefault(job.id, job)
        return list(found.values())

    async def _refused(
        self,
        refused: Sequence[Refused],
        jobs: Sequence[Row],
        creates: Sequence[Write],
        its_items: Sequence[Write],
    ) -> Settled | None:
        failed = {id(each.write) for each in refused if not each.raced}
        self.known |= {
            row.id for row, write in zip(jobs, creates, strict=True) if id(write) in failed
        }
        self.rows = await self._read_again()
        lost = await self._lost()
        if lost is not None:
            return lost
        if any(id(write) in failed for write in its_items):
            moved_on = await items.conflicts(self.core.store, self.settlement.work.checks)
            if moved_on:
                return Settled(status=SettleStatus.CONFLICT, conflicts=tuple(moved_on))
        return None

    async def _read_again(self) -> list[Row | None]:
        leases = [finish.lease for finish in self.settlement.finishes]
        for lease in leases:
            self.core.held.pop(lease.job_id, None)
        return await held_rows(self.core, leases)

    async def _ended(self, ends: Sequence[tuple[Row, Row]], jobs: Sequence[Row]) -> None:
        self.changes += ends
        self.changes += [(None, job) for job in jobs]
        for before, _ in ends:
            self.core.held.pop(before.id, None)
        await self.core.limits.release(*(before for before, _ in ends if before.uses))


def finished(row: Row, finish: Finish, now: float) -> Row:
    """The row once an attempt of it has ended so."""
    state, answer = finish.state, finish.answer
    waits = state in WAITING
    due = finish.due if finish.due is not None else finish.at
    after = moved(
        row,
        state,
        finish.at,
        now,
        finished=finish.at if state.done else None,
        expires=finish.expires,
        due=due if waits else row.due,
        attempt=finish.attempt,
        starts=finish.starts,
        attempts=append_attempts(row.attempts, finish.attempts),
        attempt_started=None,
        lease_until=None,
        suspect=finish.suspect,
        answer_status=None if answer is None else answer.status,
        answer_type=None if answer is None else answer.media_type,
        answer_body=None if answer is None else answer.body,
        error=to_text(finish.error),
        kind=finish.kind,
        cause=finish.cause,
        uses=(),
    )
    after = parts.split(after)
    return replace(after, look_at=look_at(after, now))

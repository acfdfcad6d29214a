"""A batch: one call of a handler for many items, each of which ends by itself.

An item's own writes commit with its own end. Where the handler wrote something for the whole batch,
all of it is one commit; what cannot be part of that, a failed item or one whose lease is lost, is
taken out, and the handler runs again for the others.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace

from ..clock import Clock
from ..ended import Ended
from ..engine.contract import Engine
from ..engine.values import Finish, ItemKey, Settled, Settlement, SettleStatus, Work
from ..execute import Executor
from ..job import Attempt, Outcome
from ..operation import Operation
from .adaptive import Teacher
from .batch_ends import BatchEnded, run_batch
from .batch_member import Member
from .batch_plan import Group, Habits
from .batch_view import BatchContext, BatchUnits, fits, merged, overlap
from .contention import Contention
from .run import CONFLICTS_MAX, no_capacity, too_many_conflicts

Settle = Callable[[Sequence[Settlement]], Awaitable[Sequence[Settled]]]
"""Commits; how patiently is the door's to say."""

_NOTHING = Work()
_Ending = tuple[Member, Ended, Work]


class BatchRunner:
    """Runs batches until each of their members has ended, or lost its lease."""

    def __init__(
        self,
        engine: Engine,
        executor: Executor,
        clock: Clock,
        teacher: Teacher,
        contention: Contention,
    ) -> None:
        self.teacher = teacher
        self.engine = engine
        self.executor = executor
        self.clock = clock
        self.contention = contention
        self._habits: dict[str, Habits] = {}

    async def run(self, operation: Operation, members: Sequence[Member], settle: Settle) -> None:
        """Run and commit, and tell each member how it ended. Lets engine errors through."""
        habits = self._habits.setdefault(operation.name, Habits())
        batch = _Batch(self, operation, settle, habits)
        waiting = habits.groups(members) if members else []
        while waiting:
            group = waiting.pop(0)
            alive = [member for member in group.members if not member.lost]
            if alive:
                waiting = [*await batch.run(replace(group, members=alive)), *waiting]


class _Batch:
    """The runs of one batch. Each gives the groups for whom the handler must run again."""

    def __init__(
        self, runner: BatchRunner, operation: Operation, settle: Settle, habits: Habits
    ) -> None:
        self._runner = runner
        self._operation = operation
        self._settle = settle
        self._habits = habits
        self._started = 0.0  # of the run that goes on
        self._full: Ended | None = None  # what its commit said, where a table had no capacity

    async def run(self, group: Group) -> list[Group]:
        """Run the handler once for the group, and commit what can be."""
        turn = self._runner.contention.turn(group.moved) if group.moved else nullcontext()
        with self._runner.teacher.watching(self._operation) as watch:
            async with turn:
                self._started, self._full = self._runner.clock.now(), None
                units = BatchUnits(self._runner.engine, len(group.members), together=group.together)
                ended = await self._call(group, units)
                again = await self._conclude(group, units, ended)
        watch.ended(self._full or ended.telling)
        return again

    async def _call(self, group: Group, units: BatchUnits) -> BatchEnded:
        members = group.members
        shared = members[0].new_context(units.shared)
        pairs = zip(members, units.own, strict=True)
        context = BatchContext(shared, [member.new_context(unit) for member, unit in pairs], units)
        values = [member.value for member in members]
        seconds = min(self._left(member) for member in members)
        try:
            return await run_batch(self._runner.executor, self._operation, values, context, seconds)
        finally:
            for view in context.views:
                view.thread = context.thread

    def _left(self, member: Member) -> float:
        """How long the handler may run for this member."""
        until_deadline = max(0.0, member.deadline - self._started)
        return min(self._operation.timeout_seconds, until_deadline)

    async def _conclude(self, group: Group, units: BatchUnits, ended: BatchEnded) -> list[Group]:
        if not ended.blamed:
            return group.halves()
        pairs = list(zip(group.members, ended.ends, strict=True))
        if ended.ends[0].outcome is Outcome.TIMED_OUT:
            # the time may have been that of the one with the nearest deadline
            shortest = min(self._left(member) for member in group.members)
            pairs = [(m, end) for m, end in pairs if self._left(m) <= shortest]
            await self._end_each(pairs)
            return [group.of([m for m in group.members if self._left(m) > shortest])]
        works = units.works()
        if units.together or units.shared.work():
            return await self._commit_as_one(group, pairs, works)
        own = [unit.work() for unit in units.own]
        endings = [
            (member, end, work if end.outcome is Outcome.SUCCEEDED else _NOTHING)
            for (member, end), work in zip(pairs, own, strict=True)
        ]
        return await self._commit_each(group, endings)

    async def _end_each(self, pairs: Sequence[tuple[Member, Ended]]) -> None:
        """Commit ends that leave nothing but themselves."""
        group = Group(members=[member for member, _ in pairs])
        await self._commit_each(group, [(member, end, _NOTHING) for member, end in pairs])

    async def _end_full(self, pairs: Sequence[tuple[Member, Ended]]) -> None:
        """Commit the ends of those whose writes a table had no capacity for."""
        if pairs:
            self._full = pairs[0][1]
            await self._end_each(pairs)

    async def _commit_each(self, group: Group, endings: Sequence[_Ending]) -> list[Group]:
        """Commit each by itself, in one call; those in conflict run again."""
        endings = [ending for ending in endings if not ending[0].lost]
        if not endings:
            return []
        finishes = [member.finish(end) for member, end, _ in endings]
        settled = await self._settle(
            [
                Settlement(work=work, finish=finish)
                for (_, _, work), finish in zip(endings, finishes, strict=True)
            ]
        )
        again: list[Member] = []
        moved: list[ItemKey] = []
        full: list[tuple[Member, Ended]] = []
        for (member, end, _), finish, each in zip(endings, finishes, settled, strict=True):
            if each.status is SettleStatus.CONFLICT:
                again.append(member)
                moved += each.conflicts
            elif each.status is SettleStatus.THROTTLED:
                full.append((member, no_capacity(each)))
            elif each.status is SettleStatus.LEASE_LOST:
                member.lose(finish)
            else:
                member.settled(end, finish)
        await self._end_full(full)
        # one after the other they would be in conflict again, each with the one before
        together = len(set(moved)) < len(moved)
        return await self._after_conflict(replace(group, members=again, together=together), moved)

    async def _commit_as_one(
        self, group: Group, pairs: Sequence[tuple[Member, Ended]], works: Sequence[Work]
    ) -> list[Group]:
        """Commit all the work with the ends of all; without those who cannot, it runs again."""
        good = [m for m, end in pairs if end.outcome is Outcome.SUCCEEDED and not m.lost]
        if len(good) < len(pairs):
            await self._end_each([(m, e) for m, e in pairs if e.outcome is not Outcome.SUCCEEDED])
            return [group.of(good)]
        if not group.together and overlap(works):
            self._habits.together = True
            return [replace(group.of(good), together=True)]
        work = merged(works)
        finishes = [member.finish(end) for member, end in pairs]
        if len(good) > 1:
            ending = [finish for finish in finishes if finish is not None]
            if not fits(work, ending, self._runner.engine.capabilities):
                if group.together == self._habits.together:  # else it is for this once
                    self._habits.exceeded(len(good))
                return group.halves()
            self._habits.fitted(len(good))
        return await self._settle_as_one(group, pairs, finishes, work)

    async def _settle_as_one(
        self,
        group: Group,
        pairs: Sequence[tuple[Member, Ended]],
        finishes: Sequence[Finish | None],
        work: Work,
    ) -> list[Group]:
        first, *others = finishes
        one = Settlement(work=work, finish=first, others=[end for end in others if end is not None])
        (settled,) = await self._settle([one])
        if settled.status is SettleStatus.CONFLICT:
            return await self._after_conflict(group, settled.conflicts)
        if settled.status is SettleStatus.THROTTLED:
            await self._end_full([(member, no_capacity(settled)) for member, _ in pairs])
            return []
        for (member, end), finish in zip(pairs, finishes, strict=True):
            if settled.status is SettleStatus.DONE:
                member.settled(end, finish)
            elif member.job_id in settled.lost:
                member.lose(finish)
        if settled.status is SettleStatus.DONE:
            return []
        return [group.of([m for m in group.members if m.job_id not in settled.lost])]

    async def _after_conflict(self, group: Group, moved: Sequence[ItemKey]) -> list[Group]:
        """The same again; who has been through too many conflicts fails of it."""
        worn = [m for m in group.members if len(m.conflicts) == CONFLICTS_MAX]
        await self._end_each([(member, too_many_conflicts(self._operation)) for member in worn])
        again = [member for member in group.members if member not in worn]
        for member in again:
            conflict = Attempt(
                number=member.first_number + len(member.conflicts),
                outcome=Outcome.CONFLICT,
                started=self._started,
                finished=self._runner.clock.now(),
            )
            member.conflicts += (conflict,)
        return [replace(group, members=again, moved=moved)]

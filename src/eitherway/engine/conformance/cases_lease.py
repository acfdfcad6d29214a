"""Holding a job longer, taking over what nobody holds, and deleting what is over."""

from __future__ import annotations

import asyncio

import pytest

from ...job import FailureKind, JobState
from ..contract import Engine
from ..values import Extension, SettleStatus
from ..virtual_clock import VirtualClock
from .harness import EngineHarness
from .samples import (
    LEASE_SECONDS,
    START,
    a_job,
    an_end,
    get_one,
    ids,
    job_id,
    numbered,
    settle,
    take,
    take_new,
    take_one,
)

BEYOND = LEASE_SECONDS + 1


class ExtendCases(EngineHarness):
    """What `extend` promises."""

    async def test_an_extended_lease_holds(self, engine: Engine, clock: VirtualClock) -> None:
        """A lease counts from its last extension, and lapses without another one."""
        held = await take_new(engine)
        await clock.advance(LEASE_SECONDS - 1)
        assert list(await engine.extend([Extension(lease=held.lease, lease_seconds=30)])) == [True]

        await clock.advance(29)
        assert not await engine.overdue(10, LEASE_SECONDS)
        await clock.advance(2)
        assert ids(await engine.overdue(10, LEASE_SECONDS)) == numbered(1)

    async def test_a_plain_extension_leaves_the_record(self, engine: Engine) -> None:
        """Holding longer is no news: revision and progress stay."""
        held = await take_new(engine)
        await engine.extend([Extension(lease=held.lease, lease_seconds=30)])
        record = await get_one(engine)
        assert (record.revision, record.progress) == (held.job.revision, None)

    async def test_progress_is_recorded(self, engine: Engine) -> None:
        """Progress is readable at once, moves the revision, and stays when none is given."""
        held = await take_new(engine)
        progress = {"done": 3, "of": 7, "note": "päckchen", "nested": {"a": [1, None, 2.5]}}
        await engine.extend([Extension(lease=held.lease, lease_seconds=30, progress=progress)])
        record = await get_one(engine)
        assert record.progress == progress
        assert record.revision > held.job.revision

        await engine.extend([Extension(lease=held.lease, lease_seconds=30)])
        assert (await get_one(engine)).progress == progress

    async def test_a_lost_lease_is_told(self, engine: Engine, clock: VirtualClock) -> None:
        """Who was taken over hears it at the next extension, and records nothing by it."""
        held = await take_new(engine)
        await clock.advance(BEYOND)
        (taken,) = await engine.overdue(10, LEASE_SECONDS)

        lost = Extension(lease=held.lease, lease_seconds=900, progress={"done": 1})
        assert list(await engine.extend([lost])) == [False]

        assert (await get_one(engine)).progress is None
        kept = Extension(lease=taken.lease, lease_seconds=30)
        assert list(await engine.extend([kept])) == [True]

    async def test_the_lease_of_an_ended_job_is_lost(self, engine: Engine) -> None:
        """A job that ended cannot be held."""
        held = await take_new(engine)
        await settle(engine, an_end(held, JobState.SUCCEEDED, START))
        late = Extension(lease=held.lease, lease_seconds=30, progress={"done": 1})
        assert list(await engine.extend([late])) == [False]
        assert (await get_one(engine)).progress is None

    async def test_answers_come_in_the_order_of_the_leases(self, engine: Engine) -> None:
        """Each answer of a batch is about the lease in its place."""
        await engine.accept([a_job(number) for number in (1, 2, 3)])
        held = {each.job.id: each for each in await take(engine)}
        await settle(engine, an_end(held[job_id(2)], JobState.QUEUED, START))
        extensions = [Extension(lease=held[id_].lease, lease_seconds=30) for id_ in sorted(held)]
        assert list(await engine.extend(extensions)) == [True, False, True]


class OverdueCases(EngineHarness):
    """What `overdue` promises."""

    async def test_what_is_in_time_is_left(self, engine: Engine, clock: VirtualClock) -> None:
        """Neither a live lease nor a job that waits within its deadline is overdue."""
        await take_new(engine, 1)
        await engine.accept([a_job(2), a_job(3, due=START + 60)])
        await clock.advance(LEASE_SECONDS - 1)
        assert not await engine.overdue(10, LEASE_SECONDS)

    @pytest.mark.parametrize("alone", [False, True])
    async def test_a_lapsed_lease_is_taken_over(
        self, engine: Engine, clock: VirtualClock, *, alone: bool
    ) -> None:
        """The taker learns what the record says, and whether its holder was alone."""
        held = await take_new(engine)
        if alone:
            await settle(engine, an_end(held, JobState.QUEUED, START, suspect=True))
            held = await take_one(engine, alone=True)
        await clock.advance(BEYOND)

        (taken,) = await engine.overdue(10, LEASE_SECONDS)

        assert (taken.job.id, taken.job.state) == (job_id(1), JobState.RUNNING)
        assert (taken.job.attempt, taken.job.starts) == (held.job.attempt, held.job.starts)
        assert taken.lost_alone is alone
        assert taken.lease.job_id == job_id(1)
        assert taken.lease.token != held.lease.token

    async def test_a_deadline_passed_while_waiting(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """Jobs that wait past their deadline are taken over as they are, and can be failed."""
        held = await take_new(engine, 1, deadline=START + 10)
        await settle(engine, an_end(held, JobState.RETRYING, START, due=START + 500))
        waiting = [a_job(2, deadline=START + 10), a_job(3, deadline=START + 10, due=START + 99)]
        await engine.accept(waiting)
        await clock.advance(11)

        taken = {each.job.id: each for each in await engine.overdue(10, LEASE_SECONDS)}

        states = [taken[job_id(number)].job.state for number in (1, 2, 3)]
        assert states == [JobState.RETRYING, JobState.QUEUED, JobState.SCHEDULED]
        assert not any(each.lost_alone for each in taken.values())
        for each in taken.values():
            failed = an_end(each, JobState.FAILED, START + 11, kind=FailureKind.EXPIRED)
            assert (await settle(engine, failed)).status is SettleStatus.DONE
        records = await engine.get(numbered(1, 2, 3))
        assert [record and record.kind for record in records] == [FailureKind.EXPIRED] * 3

    async def test_a_deadline_moves_on_from_what_was_read(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """A scheduled job that fell due and then expired has another revision than before."""
        await engine.accept([a_job(due=START + 5, deadline=START + 10)])
        await clock.advance(6)
        due = await get_one(engine)
        await clock.advance(5)
        (taken,) = await engine.overdue(10, LEASE_SECONDS)
        await settle(engine, an_end(taken, JobState.FAILED, START + 11))
        assert (await get_one(engine)).revision > due.revision

    async def test_a_running_job_past_its_deadline_is_its_holders(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """A deadline takes no job out of a live lease."""
        held = await take_new(engine, deadline=START + 10)
        await clock.advance(11)
        assert not await engine.overdue(10, LEASE_SECONDS)
        done = an_end(held, JobState.SUCCEEDED, START + 11)
        assert (await settle(engine, done)).status is SettleStatus.DONE

    async def test_a_state_stays_until_the_taker_settles(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """Taking over decides nothing; the taker gives it back to be received again."""
        await take_new(engine)
        await clock.advance(BEYOND)
        (taken,) = await engine.overdue(10, LEASE_SECONDS)
        assert (await get_one(engine)).state is JobState.RUNNING
        assert not await take(engine)

        await settle(engine, an_end(taken, JobState.QUEUED, clock.now(), attempt=0))
        again = await take_one(engine)
        assert (again.job.attempt, again.job.starts) == (1, 2)

    async def test_each_overdue_job_has_one_taker(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """Concurrent takers share the jobs out, no more than they asked for each."""
        await engine.accept([a_job(number) for number in range(1, 16)])
        await engine.accept([a_job(n, due=START + 60, deadline=START + 9) for n in range(16, 21)])
        assert len(await take(engine, 15)) == 15
        await clock.advance(BEYOND)

        batches = await asyncio.gather(*(engine.overdue(4, LEASE_SECONDS) for _ in range(7)))

        assert max(map(len, batches)) == 4
        taken = [job for batch in batches for job in ids(batch)]
        assert sorted(taken) == numbered(*range(1, 21))

    @pytest.mark.parametrize("alone", [False, True])
    async def test_a_dead_taker_is_taken_over(
        self, engine: Engine, clock: VirtualClock, *, alone: bool
    ) -> None:
        """A taker's hold lapses like any other, and what the first holder was is not forgotten."""
        held = await take_new(engine)
        if alone:
            await settle(engine, an_end(held, JobState.QUEUED, START, suspect=True))
            await take_one(engine, alone=True)
        await clock.advance(BEYOND)
        (first,) = await engine.overdue(10, 8)
        assert not await engine.overdue(10, 8)
        await clock.advance(9)

        (second,) = await engine.overdue(10, 8)

        assert (second.job.id, second.lost_alone) == (job_id(1), alone)
        late = an_end(first, JobState.QUEUED, clock.now())
        assert (await settle(engine, late)).status is SettleStatus.LEASE_LOST
        done = an_end(second, JobState.QUEUED, clock.now())
        assert (await settle(engine, done)).status is SettleStatus.DONE

    async def test_a_dead_taker_of_a_waiting_job_is_taken_over(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """The hold on a job past its deadline lapses, too."""
        await engine.accept([a_job(deadline=START + 10)])
        await clock.advance(11)
        (first,) = await engine.overdue(10, 8)
        assert not await engine.overdue(10, 8)
        await clock.advance(9)
        (second,) = await engine.overdue(10, 8)
        assert (second.job.id, second.job.state) == (first.job.id, JobState.QUEUED)
        assert second.lease.token != first.lease.token


class PurgeCases(EngineHarness):
    """What `purge` promises."""

    async def test_what_expired_is_deleted(self, engine: Engine, clock: VirtualClock) -> None:
        """A record is kept until its `expires`, and deleted with its events after it."""
        start = (await engine.events(None, 0)).cursor
        await engine.accept([a_job(2, operation="send_mail")])
        held = await take_new(engine, 1)
        await settle(engine, an_end(held, JobState.SUCCEEDED, START, expires=START + 100))
        await clock.advance(99)
        assert await engine.purge(10) == 0
        assert (await get_one(engine, 1)).state is JobState.SUCCEEDED

        await clock.advance(2)
        assert await engine.purge(10) == 1

        found = await engine.get(numbered(1, 2))
        assert [record and record.id for record in found] == [None, job_id(2)]
        await engine.accept([a_job(3)])
        kept = (await engine.events(start, 0)).events
        assert [event.job_id for event in kept] == numbered(2, 3)

    async def test_a_purge_keeps_nothing_from_followers(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """A cursor goes on to what comes after the purge of all that it had passed."""
        held = await take_new(engine, 1)
        await settle(engine, an_end(held, JobState.SUCCEEDED, START, expires=START + 1))
        cursor = (await engine.events(None, 0)).cursor
        await clock.advance(2)
        assert await engine.purge(10) == 1
        await engine.accept([a_job(2)])
        assert [each.job_id for each in (await engine.events(cursor, 0)).events] == [job_id(2)]

    async def test_a_dead_letter_stays(self, engine: Engine, clock: VirtualClock) -> None:
        """Without `expires` a record is kept for good."""
        held = await take_new(engine)
        dead = an_end(
            held, JobState.FAILED, START, expires=None, kind=FailureKind.EXHAUSTED, error={"a": 1}
        )
        await settle(engine, dead)
        await clock.advance(10 * 365 * 86400)
        assert await engine.purge(10) == 0
        assert (await get_one(engine)).error == {"a": 1}

    async def test_a_purge_deletes_no_more_than_the_count(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """A purge is as large as was asked, and the next one goes on."""
        await engine.accept([a_job(number) for number in range(1, 6)])
        for held in await take(engine):
            await settle(engine, an_end(held, JobState.SUCCEEDED, START, expires=START + 1))
        await clock.advance(2)
        assert [await engine.purge(2) for _ in range(4)] == [2, 2, 1, 0]

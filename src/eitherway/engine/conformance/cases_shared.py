"""Several engines on one store, as several processes have it. For engines that are `shared`."""

from __future__ import annotations

import asyncio

from ...job import JobState
from ..contract import Engine
from ..values import Settlement, SettleStatus
from ..virtual_clock import VirtualClock
from .harness import EngineHarness, as_time_passes, while_waiting
from .samples import (
    COUNTER,
    LEASE_SECONDS,
    START,
    a_job,
    a_redrive,
    an_end,
    die,
    get_one,
    ids,
    job_id,
    numbered,
    put,
    read_one,
    ready,
    settle,
    statistics_of,
    take,
    take_new,
    take_one,
)

NOTICE_SECONDS = 2.0
"""How long one engine may take to notice what another one committed."""


class SharedCases(EngineHarness):
    """What holds between engines on one store."""

    async def test_what_was_accepted_outlives_its_engine(
        self, engine: Engine, url: str, clock: VirtualClock
    ) -> None:
        """Records, messages, items and cursors are there for whoever opens the store next."""
        cursor = (await engine.events(None, 0)).cursor
        await engine.accept([a_job(1)])
        await engine.settle([Settlement(work=put(COUNTER, b"7"))])
        before = await get_one(engine)
        await engine.close()

        later = self.make(url, clock)
        await later.open()
        try:
            assert await get_one(later) == before
            assert (await read_one(later)).value == b"7"
            told = (await later.events(cursor, 0)).events
            assert [each.job_id for each in told] == [job_id(1)]
            assert (await take_one(later)).message == a_job(1).message
        finally:
            await later.close()

    async def test_an_accept_wakes_the_other(
        self, engine: Engine, other: Engine, clock: VirtualClock
    ) -> None:
        """Who waits at one engine learns of a job accepted by another."""
        waiting = await while_waiting(clock, ready(other, ["place_order"], 3600))
        await engine.accept([a_job()])
        found = await as_time_passes(clock, waiting, NOTICE_SECONDS)
        assert list(found) == ["place_order"]
        assert ids(await take(other)) == numbered(1)

    async def test_an_event_wakes_the_other(
        self, engine: Engine, other: Engine, clock: VirtualClock
    ) -> None:
        """Who follows events at one engine is told of another's commits."""
        cursor = (await other.events(None, 0)).cursor
        waiting = await while_waiting(clock, other.events(cursor, 3600))
        held = await take_new(engine)
        page = await as_time_passes(clock, waiting, NOTICE_SECONDS)
        told = [*page.events, *(await other.events(page.cursor, 0)).events]
        assert [each.state for each in told] == [JobState.QUEUED, JobState.RUNNING]
        await settle(engine, an_end(held, JobState.SUCCEEDED, START))
        after = (await other.events(page.cursor, 0)).events
        assert after[-1].state is JobState.SUCCEEDED

    async def test_a_pause_is_everybodys(
        self, engine: Engine, other: Engine, url: str, clock: VirtualClock
    ) -> None:
        """What one engine paused the others leave alone, those opened later too."""
        await engine.accept([a_job()])
        await engine.pause(["place_order"], paused=True)
        later = self.make(url, clock)
        await later.open()
        try:
            for each in (other, later):
                assert (await statistics_of(each)).paused
                assert not await ready(each, ["place_order"], 0)
                assert not await take(each)
        finally:
            await later.close()

    async def test_a_resumed_operation_wakes_the_other(
        self, engine: Engine, other: Engine, clock: VirtualClock
    ) -> None:
        """Who waits at one engine learns that another one resumed the operation."""
        await engine.accept([a_job()])
        await engine.pause(["place_order"], paused=True)
        waiting = await while_waiting(clock, ready(other, ["place_order"], 3600))
        await engine.pause(["place_order"], paused=False)
        found = await as_time_passes(clock, waiting, NOTICE_SECONDS)
        assert list(found) == ["place_order"]
        assert ids(await take(other)) == numbered(1)

    async def test_a_redrive_wakes_the_other(
        self, engine: Engine, other: Engine, clock: VirtualClock
    ) -> None:
        """A letter that is sent again at one engine is run by another, and sent by one."""
        await die(engine)
        waiting = await while_waiting(clock, ready(other, ["place_order"], 3600))
        answers = await asyncio.gather(*(each.redrive([a_redrive()]) for each in (engine, other)))
        assert sorted(answer for (answer,) in answers) == [False, True]
        await as_time_passes(clock, waiting, NOTICE_SECONDS)
        assert ids(await take(other)) == numbered(1)

    async def test_all_are_counted(self, engine: Engine, other: Engine) -> None:
        """What several engines did is in the numbers of each."""
        await asyncio.gather(
            *(each.accept([a_job(number)]) for number in range(20) for each in (engine, other))
        )
        held = [*await take(engine, 7), *await take(other, 5)]
        for place, each in enumerate(held):
            await settle((engine, other)[place % 2], an_end(each, JobState.SUCCEEDED, START))
        for one in (engine, other):
            counts = (await statistics_of(one)).counts
            assert {state: count for state, count in counts.items() if count} == {
                JobState.QUEUED: 8,
                JobState.SUCCEEDED: 12,
            }

    async def test_both_receive_and_share(self, engine: Engine, other: Engine) -> None:
        """A job goes to one of them, and all jobs go."""
        await engine.accept([a_job(number) for number in range(1, 41)])
        batches = await asyncio.gather(*(take(each, 5) for each in (engine, other) * 6))
        received = [job for batch in batches for job in ids(batch)]
        assert sorted(received) == numbered(*range(1, 41))

    async def test_an_id_is_new_to_one(self, engine: Engine, other: Engine) -> None:
        """Of two that accept the same id one is told that it is new."""
        answers = await asyncio.gather(
            *(each.accept([a_job(number)]) for number in range(20) for each in (engine, other))
        )
        new = [answer for (answer,) in answers]
        assert [sum(pair) for pair in zip(new[::2], new[1::2], strict=True)] == [1] * 20

    async def test_a_taker_fences_the_others_holder(
        self, engine: Engine, other: Engine, clock: VirtualClock
    ) -> None:
        """A job taken over by one engine is lost to the holder at the other."""
        late = await take_new(engine)
        await clock.advance(LEASE_SECONDS + 1)
        (taken,) = await other.overdue(10, LEASE_SECONDS)
        lost = await settle(engine, an_end(late, JobState.SUCCEEDED, clock.now()))
        assert lost.status is SettleStatus.LEASE_LOST
        done = await settle(other, an_end(taken, JobState.QUEUED, clock.now()))
        assert done.status is SettleStatus.DONE

    async def test_an_overdue_job_has_one_taker(
        self, engine: Engine, other: Engine, clock: VirtualClock
    ) -> None:
        """Takers at several engines share what is overdue."""
        await engine.accept([a_job(number) for number in range(1, 21)])
        assert len(await take(engine, 20)) == 20
        await clock.advance(LEASE_SECONDS + 1)
        batches = await asyncio.gather(
            *(each.overdue(4, LEASE_SECONDS) for each in (engine, other) * 4)
        )
        assert sorted(job for batch in batches for job in ids(batch)) == numbered(*range(1, 21))

    async def test_who_takes_jobs_is_counted(self, engine: Engine, other: Engine) -> None:
        """Both once they have received, one when the other has gone; or nobody knows."""
        await take(engine)
        await take(other)
        assert await engine.workers() in (2, None)
        await other.close()
        assert await engine.workers() in (1, None)

    async def test_of_a_race_between_two_one_wins(self, engine: Engine, other: Engine) -> None:
        """A check holds against commits of another engine."""
        for number in range(10):
            version = (await read_one(engine)).version
            racing = [Settlement(work=put(COUNTER, b"%d" % number, over=version))]
            answers = await asyncio.gather(engine.settle(racing), other.settle(racing))
            statuses = sorted(settled.status.value for (settled,) in answers)
            assert statuses == ["conflict", "done"]
            assert (await read_one(other)).value == b"%d" % number

    async def test_the_others_jobs_wait_too(self, engine: Engine, other: Engine) -> None:
        """What one has accepted counts for the other, a second later at most."""
        await engine.accept([a_job(1), a_job(2)])
        await other.accept([a_job(3)])
        assert list(await engine.waiting(["place_order"])) == [3]
        await take(other, count=1)
        assert list(await engine.waiting(["place_order"])) == [2]

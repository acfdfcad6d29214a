"""Ending several jobs in one write: a settlement with `others`."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ...errors import TransitionError
from ...job import JobState
from ..contract import Engine
from ..values import Delivery, ItemKey, ItemWrite, Settled, Settlement, SettleStatus, Work
from ..virtual_clock import VirtualClock
from .cases_events import everything
from .harness import EngineHarness
from .samples import (
    COUNTER,
    LEASE_SECONDS,
    START,
    a_job,
    an_end,
    get_one,
    numbered,
    put,
    read_one,
    settle,
    take,
    take_one,
)

DONE, LOST = SettleStatus.DONE, SettleStatus.LEASE_LOST
CONFLICT = SettleStatus.CONFLICT


async def take_new(engine: Engine, *numbers: int) -> Sequence[Delivery]:
    """Accept sample jobs and receive them, in their order."""
    await engine.accept([a_job(number) for number in numbers])
    return sorted(await take(engine, len(numbers)), key=lambda each: each.job.id)


async def settle_together(
    engine: Engine, held: Sequence[Delivery], work: Work, *, state: JobState = JobState.SUCCEEDED
) -> Settled:
    """End these jobs in one write, with the work."""
    first, *others = [an_end(each, state, START) for each in held]
    (settled,) = await engine.settle([Settlement(work=work, finish=first, others=others)])
    return settled


async def states(engine: Engine, *numbers: int) -> list[JobState | None]:
    """The states of these sample jobs."""
    records = await engine.get(numbered(*numbers))
    return [None if record is None else record.state for record in records]


class TogetherCases(EngineHarness):
    """All of a settlement with `others`, or nothing of it."""

    async def test_others_end_with_the_first(self, engine: Engine) -> None:
        """Every job, the items and the new jobs are there after one settlement."""
        held = await take_new(engine, 1, 2, 3)
        mail = a_job(9, operation="send_mail")
        work = Work(writes=put(COUNTER, b"3").writes, jobs=[mail])
        cursor = (await engine.events(None, 0)).cursor

        assert await settle_together(engine, held, work) == Settled(status=DONE)

        assert await states(engine, 1, 2, 3) == [JobState.SUCCEEDED] * 3
        assert (await read_one(engine)).value == b"3"
        assert (await get_one(engine, 9)).state is JobState.QUEUED
        ended = [event.job_id for event in await everything(engine, cursor) if event.state.done]
        assert sorted(ended) == numbered(1, 2, 3)

    async def test_each_of_them_goes_its_own_way(self, engine: Engine) -> None:
        """The ends may differ; each record says what its own end says."""
        first, second = await take_new(engine, 1, 2)
        ends = [
            an_end(first, JobState.SUCCEEDED, START),
            an_end(second, JobState.RETRYING, START, due=START + 5),
        ]
        await engine.settle([Settlement(finish=ends[0], others=ends[1:])])
        assert await states(engine, 1, 2) == [JobState.SUCCEEDED, JobState.RETRYING]
        assert (await get_one(engine, 2)).due == START + 5

    @pytest.mark.parametrize("lost", [1, 2, 3])
    async def test_a_lost_lease_among_them_leaves_all_as_it_was(
        self, engine: Engine, lost: int
    ) -> None:
        """Whichever it is, it is named, and nothing is written; without it the rest commits."""
        held = await take_new(engine, 1, 2, 3)
        await settle(engine, an_end(held[lost - 1], JobState.CANCELED, START))

        settled = await settle_together(engine, held, put(COUNTER, b"3"))

        assert (settled.status, list(settled.lost)) == (LOST, numbered(lost))
        kept = [number for number in (1, 2, 3) if number != lost]
        assert await states(engine, *kept) == [JobState.RUNNING] * 2
        assert (await read_one(engine)).version == 0
        rest = [each for each in held if each.job.id not in settled.lost]
        assert (await settle_together(engine, rest, put(COUNTER, b"2"))).status is DONE
        assert await states(engine, *kept) == [JobState.SUCCEEDED] * 2

    async def test_every_lost_lease_is_named(self, engine: Engine, clock: VirtualClock) -> None:
        """Those that others took over, and those that ended."""
        held = await take_new(engine, 1, 2, 3)
        await clock.advance(LEASE_SECONDS + 1)
        taken = await engine.overdue(10, LEASE_SECONDS)
        for each in taken[1:]:
            await settle(engine, an_end(each, JobState.QUEUED, clock.now()))
        settled = await settle_together(engine, held, Work())
        assert settled.status is LOST
        assert sorted(settled.lost) == numbered(1, 2, 3)

    async def test_a_lost_lease_comes_before_a_conflict(self, engine: Engine) -> None:
        """Who has no right to write is told so, whatever else is wrong."""
        held = await take_new(engine, 1, 2)
        await settle(engine, an_end(held[1], JobState.CANCELED, START))
        settled = await settle_together(engine, held, put(COUNTER, b"1", over=7))
        assert (settled.status, list(settled.lost)) == (LOST, numbered(2))

    async def test_a_conflict_leaves_all_leases_held(self, engine: Engine) -> None:
        """No job ends; all may settle again."""
        held = await take_new(engine, 1, 2)
        settled = await settle_together(engine, held, put(COUNTER, b"1", over=7))
        assert (settled.status, list(settled.conflicts)) == (CONFLICT, [COUNTER])
        assert await states(engine, 1, 2) == [JobState.RUNNING] * 2
        assert (await settle_together(engine, held, put(COUNTER, b"1", over=0))).status is DONE

    async def test_an_illegal_end_among_them_refuses_the_call(self, engine: Engine) -> None:
        """Nothing of it takes effect, the first job's end neither."""
        held = await take_new(engine, 1, 2)
        legal = an_end(held[0], JobState.SUCCEEDED, START)
        illegal = an_end(held[1], JobState.SCHEDULED, START)
        with pytest.raises(TransitionError):
            await engine.settle([Settlement(finish=legal, others=[illegal])])
        assert await states(engine, 1, 2) == [JobState.RUNNING] * 2

    async def test_others_take_nothing_from_the_rest_of_the_call(self, engine: Engine) -> None:
        """Beside one that lost, the other settlements of a call commit."""
        held = await take_new(engine, 1, 2, 3)
        ends = [an_end(each, JobState.SUCCEEDED, START) for each in held]
        await settle(engine, ends[1])
        settled = await engine.settle(
            [Settlement(finish=ends[0], others=[ends[1]]), Settlement(finish=ends[2])]
        )
        assert [each.status for each in settled] == [LOST, DONE]
        assert await states(engine, 1, 3) == [JobState.RUNNING, JobState.SUCCEEDED]

    async def test_as_many_as_the_engine_says(self, engine: Engine) -> None:
        """Others, items and new jobs together, up to `writes_per_commit_max`."""
        limit = engine.capabilities.writes_per_commit_max
        jobs, items = limit // 3, limit // 3
        others = limit - jobs - items
        await engine.accept([a_job(number) for number in range(others + 1)])
        held = await take(engine, others + 1)
        keys = [ItemKey(table="rows", key=str(number)) for number in range(items)]
        work = Work(
            writes=[ItemWrite(key=key, value=b"1") for key in keys],
            jobs=[a_job(1000 + number, operation="send_mail") for number in range(jobs)],
        )
        assert (await settle_together(engine, held, work)).status is DONE
        assert await states(engine, *range(others + 1)) == [JobState.SUCCEEDED] * (others + 1)
        assert {item.version for item in await engine.read(keys)} == {1}
        assert len(await take(engine, jobs + 1, operation="send_mail")) == jobs

    async def test_one_that_is_retried_is_received_again(self, engine: Engine) -> None:
        """What ended beside others is as free as what ended alone."""
        held = await take_new(engine, 1, 2)
        first = an_end(held[0], JobState.SUCCEEDED, START)
        again = an_end(held[1], JobState.QUEUED, START, attempt=0)
        await engine.settle([Settlement(finish=first, others=[again])])
        assert (await take_one(engine)).job.id == held[1].job.id

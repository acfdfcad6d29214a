"""Who may not settle: the late, the second, and the illegal."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from ...errors import TransitionError
from ...job import JobState
from ..contract import Engine
from ..values import Delivery, Lease, Settlement, SettleStatus, Work
from ..virtual_clock import VirtualClock
from .harness import EngineHarness
from .samples import (
    COUNTER,
    LEASE_SECONDS,
    START,
    a_job,
    an_end,
    get_one,
    job_id,
    numbered,
    put,
    read_one,
    settle,
    take,
    take_new,
    take_one,
)

DONE, LOST = SettleStatus.DONE, SettleStatus.LEASE_LOST


def trace(number: int = 2) -> Work:
    """Work that leaves an item and an enqueued job behind."""
    return Work(writes=put(COUNTER, b"1").writes, jobs=[a_job(number, operation="send_mail")])


async def assert_no_trace(engine: Engine, number: int = 2) -> None:
    """Nothing of `trace` was written."""
    assert (await read_one(engine)).version == 0
    assert list(await engine.get([job_id(number)])) == [None]


class FenceCases(EngineHarness):
    """Who may not settle: the late, the second, and the illegal."""

    async def test_a_late_worker_writes_nothing(self, engine: Engine, clock: VirtualClock) -> None:
        """Who was taken over is told, and nothing of its work is there."""
        late = await take_new(engine)
        await clock.advance(LEASE_SECONDS + 1)
        await engine.overdue(10, LEASE_SECONDS)
        before = await get_one(engine)

        settled = await settle(engine, an_end(late, JobState.SUCCEEDED, clock.now()), trace())

        assert settled.status is LOST
        assert await get_one(engine) == before
        await assert_no_trace(engine)

    async def test_a_late_worker_does_not_end_the_next_attempt(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """The token of an earlier attempt is worth nothing in a later one."""
        late = await take_new(engine)
        await clock.advance(LEASE_SECONDS + 1)
        (taken,) = await engine.overdue(10, LEASE_SECONDS)
        await settle(engine, an_end(taken, JobState.QUEUED, clock.now()))
        assert (await settle(engine, an_end(late, JobState.SUCCEEDED, START))).status is LOST
        held = await take_one(engine)
        assert (await settle(engine, an_end(late, JobState.SUCCEEDED, START))).status is LOST
        assert (await get_one(engine)) == held.job

    async def test_the_second_end_writes_nothing(self, engine: Engine) -> None:
        """A job ends once: the same settlement again is lost, work and all."""
        held = await take_new(engine)
        assert (await settle(engine, an_end(held, JobState.SUCCEEDED, START))).status is DONE
        before = await get_one(engine)
        again = await settle(engine, an_end(held, JobState.FAILED, START), trace())
        assert again.status is LOST
        assert await get_one(engine) == before
        await assert_no_trace(engine)

    async def test_of_two_ends_at_once_one_is_written(self, engine: Engine) -> None:
        """Two ends of one lease in one batch, and in two calls: one of them holds."""
        held = await take_new(engine)
        ends = [an_end(held, state, START) for state in (JobState.SUCCEEDED, JobState.FAILED)]
        batch = [Settlement(finish=end) for end in ends]
        answers = await asyncio.gather(engine.settle(batch), engine.settle(batch))
        statuses = [settled.status for answer in answers for settled in answer]
        assert sorted(status.value for status in statuses) == ["done"] + ["lease_lost"] * 3
        winner = ends[statuses.index(DONE) % 2]
        assert (await get_one(engine)).state is winner.state

    async def test_the_lease_of_an_unknown_job_is_lost(self, engine: Engine) -> None:
        """A job that was purged, or never was, cannot be settled."""
        held = await take_new(engine)
        unknown = Lease(job_id=job_id(9), token=held.lease.token, alone=False)
        finish = an_end(held, JobState.SUCCEEDED, START, lease=unknown)
        assert (await settle(engine, finish, trace())).status is LOST
        await assert_no_trace(engine)

    @pytest.mark.parametrize("state", [JobState.SCHEDULED, JobState.RUNNING])
    async def test_an_illegal_end_is_refused(self, engine: Engine, state: JobState) -> None:
        """It names what was expected and what came, and nothing of the call took effect."""
        held, other = await self.two_held(engine)
        illegal = Settlement(finish=an_end(held, state, START), work=trace(5))
        legal = Settlement(finish=an_end(other, JobState.SUCCEEDED, START))

        await self.assert_refused(engine, [legal, illegal], state, JobState.RUNNING)

        assert list(await engine.get(numbered(1, 2))) == [held.job, other.job]
        await assert_no_trace(engine, 5)
        good = [Settlement(finish=an_end(held, JobState.SUCCEEDED, START)), legal]
        assert [each.status for each in await engine.settle(good)] == [DONE, DONE]

    async def test_a_waiting_job_does_not_succeed(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """What never ran, taken over past its deadline, can fail or be canceled, not succeed."""
        await engine.accept([a_job(deadline=START + 10)])
        await clock.advance(11)
        (taken,) = await engine.overdue(10, LEASE_SECONDS)
        illegal = Settlement(finish=an_end(taken, JobState.SUCCEEDED, START), work=trace())
        await self.assert_refused(engine, [illegal], JobState.SUCCEEDED, JobState.QUEUED)
        await assert_no_trace(engine)
        assert (await get_one(engine)).state is JobState.QUEUED

    async def test_an_illegal_end_harms_no_other_call(self, engine: Engine) -> None:
        """Calls that an engine may commit together do not fail together."""
        held, other = await self.two_held(engine)
        illegal = Settlement(finish=an_end(held, JobState.SCHEDULED, START), work=trace(5))
        legal = Settlement(finish=an_end(other, JobState.SUCCEEDED, START), work=trace(6))

        before, refused, after = await asyncio.gather(
            engine.settle([Settlement(work=put(COUNTER, b"0"))]),
            engine.settle([illegal]),
            engine.settle([legal]),
            return_exceptions=True,
        )

        assert isinstance(refused, TransitionError)
        assert not isinstance(before, BaseException)
        assert not isinstance(after, BaseException)
        assert [each.status for each in (*before, *after)] == [DONE, DONE]
        records = await engine.get(numbered(2, 5, 6))
        assert [r and r.state for r in records] == [JobState.SUCCEEDED, None, JobState.QUEUED]

    async def two_held(self, engine: Engine) -> tuple[Delivery, Delivery]:
        """Jobs 1 and 2, received."""
        await engine.accept([a_job(1), a_job(2)])
        first, second = sorted(await take(engine), key=lambda held: held.job.id)
        return first, second

    async def assert_refused(
        self, engine: Engine, settlements: Sequence[Settlement], new: JobState, current: JobState
    ) -> None:
        """The settlements are an illegal transition, and the error says which."""
        with pytest.raises(TransitionError) as refused:
            await engine.settle(settlements)
        assert new in str(refused.value)
        assert current in str(refused.value)

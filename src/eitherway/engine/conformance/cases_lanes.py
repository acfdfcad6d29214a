"""Lanes: jobs that wait for one another, in the order of their accepts."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from ...job import JobState
from ..contract import Engine
from ..limits import LimitRule
from ..values import Delivery, Lane, NewJob
from ..virtual_clock import VirtualClock
from .harness import EngineHarness, soon, while_waiting
from .samples import (
    LEASE_SECONDS,
    START,
    a_death,
    a_job,
    a_redrive,
    an_end,
    get_one,
    ids,
    job_id,
    numbered,
    ready,
    settle,
    take,
)


def in_lane(
    number: int,
    lane: str = "a",
    width: int = 1,
    until: Literal["started", "attempted", "ended"] = "ended",
    **changes: Any,
) -> NewJob:
    """Sample job `number` in a lane."""
    return a_job(number, lane=Lane(name=lane, width=width, until=until), **changes)


async def end(
    engine: Engine, held: Delivery, state: JobState = JobState.SUCCEEDED, at: float = START
) -> None:
    """Settle."""
    await settle(engine, an_end(held, state, at))


class LaneCases(EngineHarness):
    """What `accept`, `receive` and `settle` promise of lanes."""

    async def test_a_lane_goes_one_by_one_in_order(self, engine: Engine) -> None:
        """Each job once the one before has ended; other lanes beside it."""
        await engine.accept([in_lane(1), in_lane(2), in_lane(3), in_lane(4, "b"), a_job(5)])
        held = await take(engine)
        assert ids(held) == numbered(1, 4, 5)
        assert not await take(engine)
        await end(engine, held[0])
        (second,) = await take(engine)
        assert second.job.id == job_id(2)
        await end(engine, second)
        assert ids(await take(engine)) == numbered(3)

    async def test_a_lane_is_one_over_calls_and_batches(self, engine: Engine) -> None:
        """Accepted apart, repeated, or enqueued by an attempt: the lane knows them all."""
        await engine.accept([in_lane(1)])
        assert list(await engine.accept([in_lane(1), in_lane(2)])) == [False, True]
        (first,) = await take(engine)
        await engine.accept([in_lane(3)])
        assert not await take(engine)
        await end(engine, first)
        (second,) = await take(engine)
        await end(engine, second)
        assert ids(await take(engine)) == numbered(3)

    async def test_a_failing_job_holds_its_lane_until_it_has_ended(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """Retries and jobs given back keep their place; a dead letter leaves it."""
        await engine.accept([in_lane(1), in_lane(2)])
        (held,) = await take(engine)
        await settle(engine, an_end(held, JobState.RETRYING, START, due=START + 60))
        await clock.advance(30)
        assert not await take(engine)
        await clock.advance(31)
        (held,) = await take(engine)
        assert held.job.id == job_id(1)
        await end(engine, held, JobState.QUEUED, clock.now())
        (held,) = await take(engine)
        assert held.job.id == job_id(1)
        await settle(engine, a_death(held, clock.now()))
        assert ids(await take(engine)) == numbered(2)

    async def test_a_lost_job_holds_its_lane(self, engine: Engine, clock: VirtualClock) -> None:
        """Until the reaper has settled it, and as a suspect too."""
        await engine.accept([in_lane(1), in_lane(2)])
        await take(engine)
        await clock.advance(LEASE_SECONDS + 1)
        (lost,) = await engine.overdue(10, LEASE_SECONDS)
        await settle(engine, an_end(lost, JobState.QUEUED, clock.now(), suspect=True))
        assert not await take(engine)
        (alone,) = await take(engine, alone=True)
        await end(engine, alone, at=clock.now())
        assert ids(await take(engine)) == numbered(2)

    async def test_the_end_of_one_wakes_who_waits_for_the_next(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """What waits in a lane is not ready; it is when its turn comes."""
        await engine.accept([in_lane(1), in_lane(2)])
        (held,) = await take(engine)
        assert not await ready(engine, ["place_order"], 0)
        task = await while_waiting(clock, ready(engine, ["place_order"], 30))
        await end(engine, held)
        assert list(await soon(task)) == ["place_order"]

    async def test_a_lane_crosses_operations(self, engine: Engine) -> None:
        """Its jobs wait for one another whatever they do."""
        await engine.accept([in_lane(1), in_lane(2, operation="send_mail")])
        (held,) = await take(engine)
        assert not await take(engine, operation="send_mail")
        await end(engine, held)
        assert ids(await take(engine, operation="send_mail")) == numbered(2)

    async def test_a_job_that_expires_in_its_lane_is_overdue(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """Whether it waits there or was let out; the next one is let out then."""
        await engine.accept([in_lane(1), in_lane(2, deadline=START + 5), in_lane(3)])
        (held,) = await take(engine)
        await clock.advance(6)
        (late,) = await engine.overdue(10, LEASE_SECONDS)
        assert late.job.id == job_id(2)
        await end(engine, held, at=clock.now())
        assert ids(await take(engine)) == numbered(3)
        await settle(engine, a_death(late, clock.now()))
        assert (await get_one(engine, 2)).state is JobState.FAILED

    async def test_the_lane_goes_on_past_a_head_that_expired(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """A head that nobody took in time makes room when the reaper has ended it."""
        await engine.accept([in_lane(1, deadline=START + 5), in_lane(2)])
        await clock.advance(6)
        assert not await take(engine)
        (late,) = await engine.overdue(10, LEASE_SECONDS)
        await settle(engine, a_death(late, clock.now()))
        assert ids(await take(engine)) == numbered(2)

    async def test_a_redriven_job_goes_through_its_lane(self, engine: Engine) -> None:
        """Before those that wait, behind the one that was let out."""
        await engine.accept([in_lane(1), in_lane(2), in_lane(3)])
        (dead,) = await take(engine)
        await settle(engine, a_death(dead))
        (second,) = await take(engine)
        assert list(await engine.redrive([a_redrive(1)])) == [True]
        assert not await take(engine)
        await end(engine, second)
        assert ids(await take(engine)) == numbered(1)

    async def test_a_wide_lane_lets_as_many_out(self, engine: Engine) -> None:
        """Each end of an attempt makes room, a retry's too."""
        await engine.accept([in_lane(n, width=2, until="attempted") for n in range(1, 6)])
        held = await take(engine)
        assert ids(held) == numbered(1, 2)
        await settle(engine, an_end(held[0], JobState.RETRYING, START, due=START + 60))
        assert ids(await take(engine)) == numbered(3)
        await end(engine, held[1])
        assert ids(await take(engine)) == numbered(4)

    async def test_a_lane_of_starts_lets_the_next_out_at_a_start(self, engine: Engine) -> None:
        """At most as many as its width wait outside it."""
        await engine.accept([in_lane(n, width=2, until="started") for n in range(1, 6)])
        assert ids(await take(engine, 1)) == numbered(1)
        assert sorted(ids(await take(engine, 2))) == numbered(2, 3)
        assert sorted([*ids(await take(engine)), *ids(await take(engine))]) == numbered(4, 5)

    async def test_a_job_for_later_takes_no_place_before(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """Where no order counts, those that are due pass by; then its key has to have room."""
        rule = LimitRule(name="db", in_flight=1, keyed=True)
        keyed: dict[str, Any] = {"keys": {"db": "a"}, "until": "attempted"}
        later = [in_lane(1, due=START + 30, **keyed), in_lane(2, **keyed), in_lane(3, **keyed)]
        await engine.accept(later)
        (held,) = await take(engine, limits=[rule])
        assert held.job.id == job_id(2)
        await clock.advance(31)
        assert not await take(engine, limits=[rule])
        await end(engine, held, at=clock.now())
        (held,) = await take(engine, limits=[rule])
        await end(engine, held, at=clock.now())
        (last,) = await take(engine, limits=[rule])
        assert sorted(ids([held, last])) == numbered(1, 3)

    @pytest.mark.parametrize("due", [START, START + 60])
    async def test_a_scheduled_head_holds_its_lane(
        self, engine: Engine, clock: VirtualClock, due: float
    ) -> None:
        """The order is that of the accepts, not that of the times."""
        await engine.accept([in_lane(1, due=START + 30), in_lane(2, due=due)])
        assert not await take(engine)
        await clock.advance(31)
        (head,) = await take(engine)
        assert head.job.id == job_id(1)

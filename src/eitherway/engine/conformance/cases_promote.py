"""Promoting: a call that runs becomes a job. For engines with `promotes_running`."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from ...job import JobState
from ..contract import Engine
from ..idempotency import KeyState
from ..promotion import Promotion
from ..values import Delivery, Extension, SettleStatus
from ..virtual_clock import VirtualClock
from .cases_events import everything
from .cases_limits import a_rule, hold, use_of
from .harness import EngineHarness
from .key_samples import USE, found
from .key_samples import hold as hold_key
from .samples import (
    COUNTER,
    LEASE_SECONDS,
    START,
    WHOSE,
    a_job,
    an_end,
    get_one,
    job_id,
    put,
    read_one,
    settle,
    statistics_of,
    take,
    take_one,
)


def a_promotion(number: int = 1, **changes: Any) -> Promotion:
    """Sample job `number`, whose handler runs since two seconds."""
    return Promotion(job=a_job(number, **changes), started=START - 2.0, lease_seconds=LEASE_SECONDS)


async def promote(engine: Engine, number: int = 1, **changes: Any) -> Delivery:
    """Promote one call, whose id is new."""
    (delivery,) = await engine.promote([a_promotion(number, **changes)])
    assert delivery is not None
    return delivery


class PromoteCases(EngineHarness):
    """What `promote` promises."""

    async def test_a_promoted_call_is_a_running_job(self, engine: Engine) -> None:
        """Its record says so at once: attempt 1, started when the handler was; message and all."""
        assert engine.capabilities.promotes_running
        delivery = await promote(engine)
        record = await get_one(engine)
        assert record == delivery.job
        assert (record.state, record.attempt, record.starts) == (JobState.RUNNING, 1, 1)
        assert (record.started, record.created, record.updated) == (START - 2.0, START, START)
        ((number, started, outcome),) = [(a.number, a.started, a.outcome) for a in record.attempts]
        assert (number, started, outcome) == (1, START - 2.0, None)
        assert list(await engine.messages([job_id(1)])) == [a_job().message] == [delivery.message]
        assert (await statistics_of(engine)).counts[JobState.RUNNING] == 1
        assert list(await engine.waiting(["place_order"])) == [0]

    async def test_it_keeps_its_owner_and_its_trace(self, engine: Engine) -> None:
        """As any accepted job does."""
        delivery = await promote(engine, **WHOSE)
        assert WHOSE.items() <= asdict(delivery.job).items()
        assert WHOSE.items() <= asdict(await get_one(engine)).items()

    async def test_nobody_else_gets_a_promoted_call(self, engine: Engine) -> None:
        """It is leased: there is nothing to receive."""
        await promote(engine)
        assert not await take(engine)

    async def test_it_is_settled_under_its_lease(self, engine: Engine) -> None:
        """With its work, in one write; each revision has its event."""
        cursor = (await engine.events(None, 0)).cursor
        held = await promote(engine)
        settled = await settle(engine, an_end(held, JobState.SUCCEEDED, START), put(COUNTER, b"1"))
        assert settled.status is SettleStatus.DONE
        record = await get_one(engine)
        assert (record.state, len(record.attempts)) == (JobState.SUCCEEDED, 1)
        assert (await read_one(engine)).value == b"1"
        told = [(event.sequence, event.state) for event in await everything(engine, cursor)]
        assert told == [(1, JobState.RUNNING), (2, JobState.SUCCEEDED)]

    async def test_a_known_id_is_not_promoted(self, engine: Engine) -> None:
        """None, and what is there stays; the others of the batch are promoted."""
        await engine.accept([a_job(1)])
        one, two, again = await engine.promote([a_promotion(n) for n in (1, 2, 2)])
        assert (one, again) == (None, None)
        assert two is not None
        assert two.job.id == job_id(2)
        assert (await get_one(engine, 1)).state is JobState.QUEUED

    async def test_a_held_key_goes_over_with_the_call(self, engine: Engine) -> None:
        """In the same write; a call that has lost its hold is not promoted."""
        held = await hold_key(engine, 1)
        lost = replace(USE, token=held.token + 1)
        assert list(await engine.promote([a_promotion(1, key=lost)])) == [None]
        assert list(await engine.get([job_id(1)])) == [None]
        await promote(engine, 1, key=replace(USE, token=held.token))
        bound = await found(engine)
        assert (bound.state, bound.job_id) == (KeyState.JOB, job_id(1))

    async def test_its_lease_is_extended(self, engine: Engine, clock: VirtualClock) -> None:
        """And progress is recorded with it."""
        held = await promote(engine)
        await clock.advance(LEASE_SECONDS - 1)
        wish = Extension(lease=held.lease, lease_seconds=LEASE_SECONDS, progress={"fraction": 0.5})
        assert list(await engine.extend([wish])) == [True]
        await clock.advance(LEASE_SECONDS - 1)
        assert not await engine.overdue(10, LEASE_SECONDS)
        assert (await get_one(engine)).progress == {"fraction": 0.5}

    async def test_a_lapsed_promotion_is_taken_over(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """As one that did not run alone; its holder is fenced out."""
        held = await promote(engine)
        await clock.advance(LEASE_SECONDS + 1)
        (lapsed,) = await engine.overdue(10, LEASE_SECONDS)
        assert (lapsed.job.id, lapsed.lost_alone) == (job_id(1), False)
        late = await settle(engine, an_end(held, JobState.SUCCEEDED, START), put(COUNTER, b"1"))
        assert late.status is SettleStatus.LEASE_LOST
        assert (await read_one(engine)).version == 0

    async def test_it_counts_once_in_its_limits(self, engine: Engine, clock: VirtualClock) -> None:
        """In the share that its call holds; as a running job only when it is received again."""
        await hold(engine, 1, a_rule(in_flight=1))
        held = await promote(engine)
        assert ((await use_of(engine)).running, (await use_of(engine)).held) == (0, 1)
        await settle(engine, an_end(held, JobState.QUEUED, clock.now()))
        assert not await take(engine, limits=[a_rule(in_flight=1)])
        await hold(engine, 0, a_rule(in_flight=1))
        again = await take_one(engine, limits=[a_rule(in_flight=1)])
        assert ((await use_of(engine)).running, (await use_of(engine)).held) == (1, 0)
        await settle(engine, an_end(again, JobState.SUCCEEDED, clock.now()))
        assert (await use_of(engine)).running == 0

    async def test_a_keyed_one_that_was_given_back_is_received(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """It keeps its keys."""
        held = await promote(engine, keys={"db": '"a"'})
        await settle(engine, an_end(held, JobState.QUEUED, clock.now()))
        again = await take_one(engine, limits=[a_rule(keyed=True)])
        assert (again.keys, again.job.starts) == ({"db": '"a"'}, 2)

    async def test_nothing_promoted_nothing_given(self, engine: Engine) -> None:
        """An empty sequence is fine."""
        assert not await engine.promote([])


class SharedPromoteCases(EngineHarness):
    """What holds between processes."""

    async def test_others_let_a_promotion_be(self, engine: Engine, other: Engine) -> None:
        """It is in the store, under a lease."""
        await promote(engine)
        assert (await get_one(other)).state is JobState.RUNNING
        assert not await take(other)
        assert not await other.overdue(10, LEASE_SECONDS)

    async def test_who_promotes_counts_as_no_worker(self, engine: Engine, other: Engine) -> None:
        """`workers` says who takes jobs."""
        before = await other.workers()
        await promote(engine)
        assert await other.workers() == before

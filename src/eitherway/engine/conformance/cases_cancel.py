"""Jobs ended from outside: whoever runs them, nothing more of them is committed."""

from __future__ import annotations

import asyncio

from ...job import JobState, Outcome
from ..cancellation import Cancellation
from ..contract import Engine
from ..values import Extension, SettleStatus
from ..virtual_clock import VirtualClock
from .cases_dead import NEVER
from .cases_events import everything
from .cases_lanes import in_lane
from .cases_limits import a_rule, hold, use_of
from .harness import EngineHarness, soon, while_waiting
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
)

KEPT_SECONDS = 60.0


async def cancel(engine: Engine, *numbers: int, at: float = START) -> list[bool]:
    """Cancel these sample jobs in one call."""
    wanted = [
        Cancellation(job_id=job_id(number), at=at, expires=at + KEPT_SECONDS) for number in numbers
    ]
    return list(await engine.cancel(wanted))


class CancelCases(EngineHarness):
    """What `cancel` promises."""

    async def test_what_waits_is_canceled(self, engine: Engine) -> None:
        """Queued or scheduled: it ends at once and is never handed out."""
        await engine.accept([a_job(1), a_job(2, due=START + 60)])
        assert await cancel(engine, 1, 2) == [True, True]
        for number in (1, 2):
            record = await get_one(engine, number)
            assert record.state is JobState.CANCELED
            assert (record.finished, record.updated) == (START, START)
            assert (record.expires, record.due) == (START + KEPT_SECONDS, None)
            assert (record.attempt, record.starts, record.attempts) == (0, 0, ())
        assert not await take(engine)

    async def test_what_it_enqueues_is_stored_with_the_end_alone(self, engine: Engine) -> None:
        """Once, whoever cancels again; never for a job that has ended by itself."""
        await settle(engine, an_end(await take_new(engine, 1), JobState.SUCCEEDED, START))
        await engine.accept([a_job(2)])
        wanted = [
            Cancellation(
                job_id=job_id(n), at=START, expires=START + 9, jobs=[a_job(10 * n + again)]
            )
            for again in (1, 2)
            for n in (1, 2)
        ]
        assert list(await engine.cancel(wanted)) == [False, True, False, False]
        assert ids(await take(engine)) == numbered(21)

    async def test_a_retry_that_waits_is_canceled(self, engine: Engine) -> None:
        """Its earlier attempts stay as they ended."""
        held = await take_new(engine)
        await settle(engine, an_end(held, JobState.RETRYING, START, due=START + 9))
        before = await get_one(engine)
        assert await cancel(engine, 1) == [True]
        record = await get_one(engine)
        assert (record.state, record.attempts) == (JobState.CANCELED, before.attempts)

    async def test_a_canceled_job_is_not_handed_out_later(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """Not when its time comes, nor past its deadline."""
        await engine.accept([a_job(1, due=START + 60, deadline=START + 90)])
        await cancel(engine, 1)
        await clock.advance(120)
        assert not await take(engine)
        assert not await ready(engine, ["place_order"], 0)
        assert not await engine.overdue(10, LEASE_SECONDS)

    async def test_a_running_attempt_ends_canceled(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """Its attempt has that outcome and counts."""
        await take_new(engine)
        await clock.advance(2)
        assert await cancel(engine, 1, at=START + 2) == [True]
        record = await get_one(engine)
        assert (record.state, record.attempt, record.starts) == (JobState.CANCELED, 1, 1)
        (attempt,) = record.attempts
        assert (attempt.number, attempt.outcome) == (1, Outcome.CANCELED)
        assert (attempt.started, attempt.finished) == (START, START + 2)

    async def test_the_holder_of_a_canceled_job_commits_nothing(self, engine: Engine) -> None:
        """Neither record nor items; the engine says why, and the lease is not extended."""
        held = await take_new(engine)
        await cancel(engine, 1)
        wish = Extension(lease=held.lease, lease_seconds=LEASE_SECONDS)
        assert list(await engine.extend([wish])) == [False]
        settled = await settle(engine, an_end(held, JobState.SUCCEEDED, START), put(COUNTER, b"1"))
        assert settled.status is SettleStatus.LEASE_LOST
        assert list(settled.lost) == list(settled.canceled) == numbered(1)
        assert (await get_one(engine)).state is JobState.CANCELED
        assert (await read_one(engine)).version == 0

    async def test_canceled_or_committed_never_both(self, engine: Engine) -> None:
        """Of a cancel and a settlement at the same time one is written."""
        for number in range(1, 21):
            held = await take_new(engine, number)
            before = (await read_one(engine)).version
            end = an_end(held, JobState.SUCCEEDED, START)
            calls = [settle(engine, end, put(COUNTER, b"1")), cancel(engine, number)]
            if number % 2:
                calls.reverse()
            await asyncio.gather(*calls)
            record = await get_one(engine, number)
            written = (await read_one(engine)).version > before
            assert written is (record.state is JobState.SUCCEEDED)
            assert record.state.done

    async def test_what_has_ended_stays_as_it_is(self, engine: Engine) -> None:
        """Succeeded, dead or canceled before, or never accepted: False, and nothing changes."""
        await settle(engine, an_end(await take_new(engine, 1), JobState.SUCCEEDED, START))
        await die(engine, 2)
        await engine.accept([a_job(3)])
        assert await cancel(engine, 3, 3) == [True, False]
        before = await engine.get(numbered(1, 2, 3))
        cursor = (await engine.events(None, 0)).cursor
        assert await cancel(engine, 1, 2, 3, NEVER, at=START + 5) == [False] * 4
        assert list(await engine.get(numbered(1, 2, 3))) == list(before)
        assert not await everything(engine, cursor)

    async def test_a_cancel_is_told_and_counted(self, engine: Engine, clock: VirtualClock) -> None:
        """One event, with the record's revision; the tally moves."""
        await engine.accept([a_job(1, due=START + 10)])
        cursor = (await engine.events(None, 0)).cursor
        await clock.advance(11)
        await cancel(engine, 1, at=clock.now())
        told = await everything(engine, cursor)
        assert [each.state for each in told] == [JobState.QUEUED, JobState.CANCELED]
        assert told[-1].sequence == (await get_one(engine)).revision
        counts = (await statistics_of(engine)).counts
        assert {state: n for state, n in counts.items() if n} == {JobState.CANCELED: 1}

    async def test_a_redriven_job_can_be_canceled(self, engine: Engine) -> None:
        """It is a job like any other."""
        await die(engine)
        await engine.redrive([a_redrive()])
        assert await cancel(engine, 1) == [True]
        assert not await take(engine)

    async def test_a_canceled_record_is_purged(self, engine: Engine, clock: VirtualClock) -> None:
        """Past its `expires`; while it is held, not before its lease is over."""
        await take_new(engine, 1)
        await engine.accept([a_job(2)])
        wanted = [Cancellation(job_id=id_, at=START, expires=START + 1) for id_ in numbered(1, 2)]
        await engine.cancel(wanted)
        await clock.advance(2)
        assert await engine.purge(10) == 1
        await clock.advance(LEASE_SECONDS)
        await engine.overdue(10, LEASE_SECONDS)
        assert await engine.purge(10) == 1
        assert list(await engine.get(numbered(1, 2))) == [None, None]


class CancelPlaceCases(EngineHarness):
    """When the places of a canceled job, in limits and in its lane, are free."""

    async def test_a_place_is_free_when_the_holder_returns(self, engine: Engine) -> None:
        """Not with the cancel: the handler still works. Once, however often it settles."""
        await engine.accept([a_job(1), a_job(2)])
        rule = a_rule(in_flight=1)
        (held,) = await take(engine, limits=[rule])
        await cancel(engine, 1)
        assert (await use_of(engine)).running == 1
        assert not await take(engine, limits=[rule])
        for _ in range(2):
            lost = await settle(engine, an_end(held, JobState.QUEUED, START))
            assert lost.status is SettleStatus.LEASE_LOST
        assert (await use_of(engine)).running == 0
        assert ids(await take(engine, limits=[rule])) == numbered(2)

    async def test_the_holders_return_wakes(self, engine: Engine, clock: VirtualClock) -> None:
        """Whoever waits for the place learns of it without time passing."""
        await engine.accept([a_job(1), a_job(2)])
        rules = [a_rule(in_flight=1)]
        (held,) = await take(engine, limits=rules)
        await cancel(engine, 1)
        waiting = await while_waiting(clock, ready(engine, ["place_order"], 3600, limits=rules))
        await settle(engine, an_end(held, JobState.QUEUED, START))
        assert list(await soon(waiting)) == ["place_order"]

    async def test_a_place_that_outlives_the_attempt_wakes_when_it_is_given_back(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """Held by a share from before the settlement on: a handler that cannot be stopped."""
        await engine.accept([a_job(1), a_job(2)])
        rule = a_rule(in_flight=1)
        (held,) = await take(engine, limits=[rule])
        await cancel(engine, 1)
        await hold(engine, 1, rule, in_use=1)
        await settle(engine, an_end(held, JobState.QUEUED, START))
        assert not await take(engine, limits=[rule])
        waiting = await while_waiting(clock, ready(engine, ["place_order"], 3600, limits=[rule]))
        await hold(engine, 0, rule)
        assert list(await soon(waiting)) == ["place_order"]

    async def test_a_place_is_free_when_the_lease_is_over(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """A holder that died returns never; the job is not handed to the reaper."""
        await engine.accept([a_job(1), in_lane(2), in_lane(3)])
        rule = a_rule(in_flight=2)
        held = await take(engine, limits=[rule])
        assert ids(held) == numbered(1, 2)
        await cancel(engine, 1, 2)
        await clock.advance(LEASE_SECONDS + 1)
        assert not await engine.overdue(10, LEASE_SECONDS)
        assert (await use_of(engine)).running == 0
        for late in held:
            await settle(engine, an_end(late, JobState.SUCCEEDED, clock.now()))
        assert (await use_of(engine)).running == 0
        assert ids(await take(engine)) == numbered(3)

    async def test_a_job_that_the_reaper_holds_can_be_canceled(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """The reaper's settlement is lost, and frees what the dead attempt counted against."""
        await engine.accept([a_job(1)])
        await take(engine, limits=[a_rule()])
        await clock.advance(LEASE_SECONDS + 1)
        (taken,) = await engine.overdue(10, LEASE_SECONDS)
        await cancel(engine, 1, at=clock.now())
        assert (await use_of(engine)).running == 1
        lost = await settle(engine, an_end(taken, JobState.QUEUED, clock.now()))
        assert (lost.status, list(lost.canceled)) == (SettleStatus.LEASE_LOST, numbered(1))
        assert (await use_of(engine)).running == 0
        assert (await get_one(engine)).attempts[-1].outcome is Outcome.CANCELED


class CancelLaneCases(EngineHarness):
    """What becomes of a lane whose jobs are canceled. For engines that have `lanes`."""

    async def test_a_job_that_waits_in_its_lane_leaves_it(self, engine: Engine) -> None:
        """Those behind it move up."""
        await engine.accept([in_lane(1), in_lane(2), in_lane(3)])
        (first,) = await take(engine)
        await cancel(engine, 2)
        assert not await take(engine)
        await settle(engine, an_end(first, JobState.SUCCEEDED, START))
        assert ids(await take(engine)) == numbered(3)

    async def test_a_head_that_is_canceled_lets_the_next_out(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """At once where nobody holds it, and whoever waits is woken."""
        await engine.accept([in_lane(1, due=START + 60), in_lane(2)])
        waiting = await while_waiting(clock, ready(engine, ["place_order"], 30))
        await cancel(engine, 1)
        assert list(await soon(waiting)) == ["place_order"]
        assert ids(await take(engine)) == numbered(2)

    async def test_a_lane_waits_for_the_holder_to_return(self, engine: Engine) -> None:
        """What is canceled may still work: the next one does not run beside it."""
        await engine.accept([in_lane(1), in_lane(2)])
        (held,) = await take(engine)
        await cancel(engine, 1)
        assert not await take(engine)
        await settle(engine, an_end(held, JobState.QUEUED, START))
        assert ids(await take(engine)) == numbered(2)

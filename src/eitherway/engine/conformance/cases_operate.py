"""What operators see and do: messages, pauses, and where the jobs of an operation are."""

from __future__ import annotations

import pytest

from ...errors import TransitionError
from ...job import FailureKind, JobState
from ..contract import Engine
from ..values import Extension, Message, OperationStatistics, Settlement, Work
from ..virtual_clock import VirtualClock
from .harness import EngineHarness, soon, while_waiting
from .samples import (
    LEASE_SECONDS,
    START,
    a_death,
    a_job,
    a_redrive,
    an_end,
    die,
    get_one,
    ids,
    job_id,
    numbered,
    ready,
    settle,
    statistics_of,
    take,
    take_new,
    take_one,
)

OPERATION = ["place_order"]


class MessageCases(EngineHarness):
    """What `messages` promises."""

    async def test_messages_are_as_stored(self, engine: Engine) -> None:
        """All three parts, byte for byte, in the order of the ids; None where there is no job."""
        message = Message(payload=bytes(range(256)), params=b'{"p":1}', headers=b'{"h":2}')
        await engine.accept([a_job(1, message=message), a_job(2, message=Message())])
        found = await engine.messages([job_id(2), job_id(3), job_id(1)])
        assert list(found) == [Message(), None, message]

    async def test_messages_outlive_their_attempts(self, engine: Engine) -> None:
        """While a job runs and after its end its message is there to be looked at."""
        held = await take_new(engine)
        assert list(await engine.messages(numbered(1))) == [a_job().message]
        await settle(engine, an_end(held, JobState.SUCCEEDED, START))
        assert list(await engine.messages(numbered(1))) == [a_job().message]


class PauseCases(EngineHarness):
    """What `pause` promises."""

    async def test_a_paused_operation_is_left_alone(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """Its jobs are neither reported nor handed out, those accepted meanwhile neither."""
        await engine.accept([a_job(1)])
        await engine.pause(OPERATION, paused=True)
        waiting = await while_waiting(clock, ready(engine, ["place_order"], 8))
        assert list(await engine.accept([a_job(2)])) == [True]
        assert not await take(engine)
        await clock.advance(8)
        assert not await soon(waiting)

    async def test_the_others_go_on(self, engine: Engine) -> None:
        """A pause is for the operations that it names."""
        await engine.accept([a_job(1), a_job(2, operation="read_order")])
        await engine.pause(["place_order", "send_mail"], paused=True)
        assert list(await ready(engine, ["place_order", "read_order"], 0)) == ["read_order"]
        assert ids(await take(engine, operation="read_order")) == numbered(2)

    async def test_a_resumed_operation_wakes(self, engine: Engine, clock: VirtualClock) -> None:
        """Whoever waits for it learns at once that its jobs are handed out again."""
        await engine.accept([a_job()])
        await engine.pause(OPERATION, paused=True)
        waiting = await while_waiting(clock, ready(engine, ["place_order"], 3600))
        await engine.pause(OPERATION, paused=False)
        assert list(await soon(waiting)) == OPERATION
        assert ids(await take(engine)) == numbered(1)

    async def test_falling_due_in_a_pause_is_no_news(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """A job that falls due wakes nobody before its operation is resumed."""
        await engine.accept([a_job(due=START + 5)])
        await engine.pause(OPERATION, paused=True)
        waiting = await while_waiting(clock, ready(engine, ["place_order"], 3600))
        await clock.advance(60)
        await engine.read([])
        assert not waiting.done()
        await engine.pause(OPERATION, paused=False)
        assert list(await soon(waiting)) == OPERATION

    async def test_what_runs_goes_on(self, engine: Engine) -> None:
        """A held job is held longer and settled as ever; only its next attempt waits."""
        held = await take_new(engine)
        await engine.pause(OPERATION, paused=True)
        assert list(await engine.extend([Extension(lease=held.lease, lease_seconds=30)])) == [True]
        await settle(engine, an_end(held, JobState.RETRYING, START))
        assert (await get_one(engine)).state is JobState.RETRYING
        assert not await take(engine)
        await engine.pause(OPERATION, paused=False)
        assert (await take_one(engine)).job.attempt == 2

    async def test_suspects_are_paused_too(self, engine: Engine) -> None:
        """Nobody runs alone what nobody is to run."""
        held = await take_new(engine)
        await settle(engine, an_end(held, JobState.QUEUED, START, suspect=True))
        await engine.pause(OPERATION, paused=True)
        assert not await ready(engine, ["place_order"], 0, alone=True)
        assert not await take(engine, alone=True)

    async def test_deadlines_pass_in_a_pause(self, engine: Engine, clock: VirtualClock) -> None:
        """What lapses or expires is taken over: a pause keeps no job for ever."""
        await take_new(engine, 1)
        await engine.accept([a_job(2, deadline=START + 10)])
        await engine.pause(OPERATION, paused=True)
        await clock.advance(LEASE_SECONDS + 1)
        assert sorted(ids(await engine.overdue(10, LEASE_SECONDS))) == numbered(1, 2)

    async def test_paused_twice_is_paused(self, engine: Engine) -> None:
        """Saying it again changes nothing, and resuming what was not paused neither."""
        await engine.accept([a_job()])
        await engine.pause(OPERATION * 2, paused=True)
        await engine.pause(OPERATION, paused=True)
        assert not await take(engine)
        await engine.pause(OPERATION, paused=False)
        await engine.pause(["read_order", *OPERATION], paused=False)
        assert ids(await take(engine)) == numbered(1)


def counts(**states: int) -> dict[JobState, int]:
    """So many in these states, none in the others."""
    return {state: states.get(state, 0) for state in JobState}


def counted(statistics: OperationStatistics) -> dict[JobState, int]:
    """The counts, of every state."""
    return {state: statistics.counts.get(state, 0) for state in JobState}


class StatisticsCases(EngineHarness):
    """What `statistics` promises."""

    async def test_an_empty_store_has_no_operations(self, engine: Engine) -> None:
        """Nothing is known before the first job."""
        assert not await engine.statistics()

    async def test_each_state_is_counted(self, engine: Engine) -> None:
        """As many as there are records in a state, of each operation by itself."""
        for number, state in enumerate(
            [JobState.SUCCEEDED, JobState.SUCCEEDED, JobState.CANCELED], 1
        ):
            await settle(engine, an_end(await take_new(engine, number), state, START))
        later = START + 600
        await settle(engine, an_end(await take_new(engine, 4), JobState.RETRYING, START, due=later))
        await die(engine, 5)
        await take_new(engine, 6)
        await engine.accept([a_job(7), a_job(8), a_job(9, due=later)])
        await engine.accept([a_job(10, operation="read_order")])

        found = await statistics_of(engine)

        assert counted(found) == counts(
            succeeded=2, canceled=1, retrying=1, failed=1, running=1, queued=2, scheduled=1
        )
        assert counted(await statistics_of(engine, "read_order")) == counts(queued=1)
        assert len(await engine.statistics()) == 2

    async def test_a_life_is_counted_at_every_step(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """A job leaves one state as it comes to the next, also one that fell due."""
        await engine.accept([a_job(due=START + 5)])
        assert counted(await statistics_of(engine)) == counts(scheduled=1)
        await clock.advance(5)
        held = await take_one(engine)
        assert counted(await statistics_of(engine)) == counts(running=1)
        await settle(engine, an_end(held, JobState.QUEUED, clock.now()))
        assert counted(await statistics_of(engine)) == counts(queued=1)
        await take(engine)
        await clock.advance(LEASE_SECONDS + 1)
        (taken,) = await engine.overdue(10, LEASE_SECONDS)
        assert counted(await statistics_of(engine)) == counts(running=1)
        await settle(engine, a_death(taken, clock.now()))
        assert counted(await statistics_of(engine)) == counts(failed=1)

    async def test_the_dead_are_counted(self, engine: Engine, clock: VirtualClock) -> None:
        """Failed and not rejected; sent again, deleted or past retention they are no more."""
        for number, kind in enumerate(FailureKind, 1):
            expires = START + 9 if kind is FailureKind.REJECTED else None
            await die(engine, number, kind=kind, expires=expires)
        found = await statistics_of(engine)
        assert (counted(found), found.dead) == (counts(failed=4), 3)
        await engine.redrive([a_redrive(1), a_redrive(1)])
        found = await statistics_of(engine)
        assert (counted(found), found.dead) == (counts(failed=3, queued=1), 2)
        await engine.discard([job_id(2), job_id(2)])
        found = await statistics_of(engine)
        assert (counted(found), found.dead) == (counts(failed=2, queued=1), 1)
        await clock.advance(10)
        await engine.purge(10)
        failed = len([each for each in await engine.get(numbered(3, 4)) if each is not None])
        found = await statistics_of(engine)
        assert (counted(found), found.dead) == (counts(failed=failed, queued=1), 1)

    async def test_what_changed_nothing_is_not_counted(self, engine: Engine) -> None:
        """Neither an id accepted before, nor a lost settlement, nor a call that was refused."""
        held = await take_new(engine)
        await engine.accept([a_job(), a_job(2), a_job(2)])
        done = an_end(held, JobState.SUCCEEDED, START)
        illegal = an_end(held, JobState.SCHEDULED, START)
        with pytest.raises(TransitionError):
            await engine.settle([Settlement(finish=done), Settlement(finish=illegal)])
        assert counted(await statistics_of(engine)) == counts(running=1, queued=1)
        await settle(engine, done)
        await settle(engine, done)
        assert counted(await statistics_of(engine)) == counts(succeeded=1, queued=1)

    async def test_an_enqueued_job_is_counted(self, engine: Engine) -> None:
        """A job that an attempt enqueued is counted like any other."""
        work = Work(jobs=[a_job(2, operation="send_mail"), a_job(3, operation="send_mail")])
        await settle(engine, an_end(await take_new(engine), JobState.SUCCEEDED, START), work)
        assert counted(await statistics_of(engine, "send_mail")) == counts(queued=2)

    async def test_the_oldest_due_is_of_the_waiting(self, engine: Engine) -> None:
        """Since when the first job could have run: of any version, a suspect too, not held."""
        await engine.accept([a_job(1), a_job(2, due=START + 5, version=7)])
        assert (await statistics_of(engine)).oldest_due == START
        held = await take_one(engine)
        assert (await statistics_of(engine)).oldest_due == START + 5
        finish = an_end(held, JobState.QUEUED, START, due=START + 3, suspect=True)
        await settle(engine, finish)
        assert (await statistics_of(engine)).oldest_due == START + 3

    async def test_nothing_waits_nothing_is_due(self, engine: Engine) -> None:
        """Where no job waits there is no oldest one."""
        held = await take_new(engine)
        assert (await statistics_of(engine)).oldest_due is None
        await settle(engine, an_end(held, JobState.SUCCEEDED, START))
        assert (await statistics_of(engine)).oldest_due is None

    async def test_an_operation_that_had_jobs_is_known(self, engine: Engine) -> None:
        """It stays, with nothing in it."""
        await die(engine)
        await engine.discard(numbered(1))
        found = await statistics_of(engine)
        assert (counted(found), found.dead, found.oldest_due) == (counts(), 0, None)

    async def test_a_pause_is_told(self, engine: Engine) -> None:
        """Who is paused, jobs or not, and since when its first job could have run."""
        await engine.accept([a_job()])
        assert not (await statistics_of(engine)).paused
        await engine.pause(["place_order", "send_mail"], paused=True)
        found = await statistics_of(engine)
        assert (found.paused, counted(found), found.oldest_due) == (True, counts(queued=1), START)
        found = await statistics_of(engine, "send_mail")
        assert (found.paused, counted(found), found.oldest_due) == (True, counts(), None)
        await engine.pause(OPERATION, paused=False)
        assert not (await statistics_of(engine)).paused

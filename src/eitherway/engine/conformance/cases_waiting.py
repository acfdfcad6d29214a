"""How many jobs of an operation wait, which bounds a backlog, and how many have ended."""

from __future__ import annotations

from ...job import JobState
from ..cancellation import Cancellation
from ..contract import Engine
from ..values import Settlement, Work
from ..virtual_clock import VirtualClock
from .harness import EngineHarness
from .samples import (
    START,
    a_death,
    a_job,
    a_redrive,
    an_end,
    die,
    numbered,
    settle,
    take,
    take_one,
)


async def waiting(engine: Engine, operation: str = "place_order") -> int:
    """How many jobs of one operation wait."""
    (count,) = await engine.waiting([operation])
    return count


class WaitingCases(EngineHarness):
    """What `waiting` promises."""

    async def test_each_operation_is_counted_by_itself(self, engine: Engine) -> None:
        """In the order asked for; 0 for one that nobody knows; of every version."""
        jobs = [a_job(1), a_job(2, version=7), a_job(3, operation="send_mail")]
        await engine.accept(jobs)
        asked = ["send_mail", "nobody", "place_order"]
        assert list(await engine.waiting(asked)) == [1, 0, 2]
        assert list(await engine.waiting([])) == []

    async def test_an_accept_counts_once_it_returned(self, engine: Engine) -> None:
        """And once: an id that was accepted before adds nothing."""
        for number in range(1, 6):
            await engine.accept([a_job(number)])
            assert await waiting(engine) == number
        await engine.accept([a_job(1)])
        assert await waiting(engine) == 5

    async def test_a_scheduled_job_waits(self, engine: Engine, clock: VirtualClock) -> None:
        """Before it is due, and after."""
        await engine.accept([a_job(1, due=START + 60)])
        assert await waiting(engine) == 1
        await clock.advance(60)
        assert await waiting(engine) == 1
        await take_one(engine)
        assert await waiting(engine) == 0

    async def test_a_job_that_runs_or_has_ended_does_not_wait(self, engine: Engine) -> None:
        """However it ended."""
        await engine.accept([a_job(1), a_job(2), a_job(3)])
        held = await take(engine)
        assert await waiting(engine) == 0
        await settle(engine, an_end(held[0], JobState.SUCCEEDED, START))
        await settle(engine, a_death(held[1]))
        assert await waiting(engine) == 0

    async def test_a_job_that_comes_back_waits_again(self, engine: Engine) -> None:
        """To be retried, given back, or a suspect."""
        await engine.accept([a_job(1), a_job(2), a_job(3)])
        one, two, three = await take(engine)
        await settle(engine, an_end(one, JobState.RETRYING, START, due=START + 5))
        await settle(engine, an_end(two, JobState.QUEUED, START))
        await settle(engine, an_end(three, JobState.QUEUED, START, suspect=True))
        assert await waiting(engine) == 3

    async def test_an_attempts_jobs_wait_once_it_committed(self, engine: Engine) -> None:
        """As those that were accepted do."""
        work = Work(jobs=[a_job(1), a_job(2, due=START + 60)])
        await engine.settle([Settlement(work=work)])
        assert await waiting(engine) == 2

    async def test_a_dead_letter_waits_when_it_is_sent_again(self, engine: Engine) -> None:
        """A discarded one does not."""
        await die(engine, 1)
        await die(engine, 2)
        assert await waiting(engine) == 0
        await engine.redrive([a_redrive(1)])
        await engine.discard(numbered(2))
        assert await waiting(engine) == 1


class FlowCases(EngineHarness):
    """What `flow` promises."""

    async def test_waiting_is_as_waiting_says(self, engine: Engine) -> None:
        """Of each operation, in the order asked for; nothing of one that nobody knows."""
        await engine.accept([a_job(1), a_job(2, due=START + 9), a_job(3, operation="send_mail")])
        asked = ["send_mail", "nobody", "place_order"]
        flows = await engine.flow(asked)
        assert [flow.waiting for flow in flows] == list(await engine.waiting(asked)) == [1, 0, 2]
        assert [flow.ended for flow in flows] == [0, 0, 0]

    async def test_every_end_counts_once(self, engine: Engine, clock: VirtualClock) -> None:
        """However a job ends; not an attempt that is followed by another; purged ones too."""
        await engine.accept([a_job(number) for number in range(1, 6)])
        held = await take(engine, 4)
        (before,) = await engine.flow(["place_order"])
        await settle(engine, an_end(held[0], JobState.SUCCEEDED, START, expires=START + 1))
        await settle(engine, a_death(held[1]))
        await settle(engine, an_end(held[2], JobState.RETRYING, START, due=START + 60))
        await engine.cancel(
            [Cancellation(job_id=id_, at=START, expires=START + 1) for id_ in numbered(4, 5)]
        )
        await settle(engine, an_end(held[3], JobState.SUCCEEDED, START))
        await clock.advance(2)
        await engine.purge(10)
        (after,) = await engine.flow(["place_order"])
        assert (after.ended - before.ended, after.waiting) == (4, 1)

"""Waiting for messages."""

from __future__ import annotations

import asyncio

from ...job import JobState
from ..contract import Engine
from ..values import Work
from ..virtual_clock import VirtualClock
from .harness import EngineHarness, cancel, soon, while_waiting
from .samples import START, a_job, an_end, ids, numbered, ready, settle, take, take_new

ANYTHING = ["place_order"]


class ReadyCases(EngineHarness):
    """What `ready` promises."""

    async def test_ready_at_once(self, engine: Engine) -> None:
        """Nothing is waited for where something may be received."""
        await engine.accept([a_job()])
        assert list(await soon(ready(engine, ["read_order", "place_order"], 3600))) == ANYTHING

    async def test_nothing_ready_in_time(self, engine: Engine, clock: VirtualClock) -> None:
        """The wait ends when it was to end, empty, and not before."""
        waiting = await while_waiting(clock, ready(engine, ["place_order"], 8))
        await clock.advance(7.5)
        assert not waiting.done()
        await clock.advance(0.5)
        assert not await soon(waiting)

    async def test_no_wait_is_no_wait(self, engine: Engine) -> None:
        """Zero seconds ask, and wait for nothing."""
        assert not await soon(ready(engine, ["place_order"], 0))

    async def test_an_accept_wakes(self, engine: Engine, clock: VirtualClock) -> None:
        """Whoever waits for an operation learns of its new job without time passing."""
        waiting = await while_waiting(clock, ready(engine, ["place_order"], 3600))
        await engine.accept([a_job()])
        assert list(await soon(waiting)) == ANYTHING

    async def test_an_accept_wakes_everyone(self, engine: Engine, clock: VirtualClock) -> None:
        """One who waits hides a job from no other."""
        waiting = [
            await while_waiting(clock, ready(engine, ["place_order"], 3600)) for _ in range(3)
        ]
        await engine.accept([a_job()])
        assert [list(await soon(task)) for task in waiting] == [ANYTHING] * 3

    async def test_other_operations_do_not_wake(self, engine: Engine, clock: VirtualClock) -> None:
        """Only what was asked about is reported."""
        await engine.accept([a_job(1, operation="read_order")])
        waiting = await while_waiting(clock, ready(engine, ["place_order"], 8))
        await engine.accept([a_job(2, operation="read_order")])
        await clock.advance(8)
        assert not await soon(waiting)

    async def test_each_ready_operation_is_named(self, engine: Engine) -> None:
        """Of several operations those are reported that have something."""
        await engine.accept([a_job(number, operation=f"op-{number}") for number in (1, 2)])
        found = await ready(engine, ["op-1", "op-2", "op-3"], 0)
        assert sorted(found) == ["op-1", "op-2"]

    async def test_falling_due_wakes(self, engine: Engine, clock: VirtualClock) -> None:
        """A scheduled job is reported when it falls due, and not before."""
        await engine.accept([a_job(due=START + 5)])
        waiting = await while_waiting(clock, ready(engine, ["place_order"], 3600))
        await clock.advance(4.5)
        await engine.read([])
        assert not waiting.done()
        await clock.advance(0.5)
        assert list(await soon(waiting)) == ANYTHING

    async def test_scheduled_meanwhile_wakes_in_time(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """A job accepted during the wait, due before all others, is reported in time too."""
        await engine.accept([a_job(1, due=START + 600)])
        waiting = await while_waiting(clock, ready(engine, ["place_order"], 3600))
        await engine.accept([a_job(2, due=START + 5)])
        await engine.read([])
        await clock.advance(5)
        assert list(await soon(waiting)) == ANYTHING

    async def test_a_retry_wakes_in_time(self, engine: Engine, clock: VirtualClock) -> None:
        """A retrying job is reported when its backoff is over."""
        held = await take_new(engine)
        await settle(engine, an_end(held, JobState.RETRYING, START, due=START + 30))
        waiting = await while_waiting(clock, ready(engine, ["place_order"], 3600))
        await clock.advance(29.5)
        await engine.read([])
        assert not waiting.done()
        await clock.advance(0.5)
        assert list(await soon(waiting)) == ANYTHING

    async def test_given_back_wakes(self, engine: Engine, clock: VirtualClock) -> None:
        """A job that its holder gives back is reported at once."""
        held = await take_new(engine)
        waiting = await while_waiting(clock, ready(engine, ["place_order"], 3600))
        await settle(engine, an_end(held, JobState.QUEUED, START))
        assert list(await soon(waiting)) == ANYTHING

    async def test_an_enqueued_job_wakes(self, engine: Engine, clock: VirtualClock) -> None:
        """A job that an attempt enqueued is reported at its commit."""
        held = await take_new(engine)
        waiting = await while_waiting(clock, ready(engine, ["send_mail"], 3600))
        work = Work(jobs=[a_job(2, operation="send_mail")])
        await settle(engine, an_end(held, JobState.SUCCEEDED, START), work)
        assert list(await soon(waiting)) == ["send_mail"]

    async def test_a_suspect_is_ready_alone(self, engine: Engine, clock: VirtualClock) -> None:
        """With `alone` suspects are reported and nothing else, without it all but them."""
        held = await take_new(engine)
        waiting = await while_waiting(clock, ready(engine, ["place_order"], 3600, alone=True))
        await settle(engine, an_end(held, JobState.QUEUED, START, suspect=True))
        assert list(await soon(waiting)) == ANYTHING
        assert not await ready(engine, ["place_order"], 0)

        await engine.accept([a_job(2, operation="read_order")])
        assert not await ready(engine, ["read_order"], 0, alone=True)
        assert list(await ready(engine, ["read_order"], 0)) == ["read_order"]

    async def test_what_is_held_is_not_ready(self, engine: Engine) -> None:
        """A received job is nobody else's to wait for."""
        await take_new(engine)
        assert not await ready(engine, ["place_order"], 0)

    async def test_what_nobody_is_handed_is_not_ready(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """No worker is called for a job past its attempts or its deadline, over and over."""
        held = await take_new(engine, 1, attempts_max=1)
        await settle(engine, an_end(held, JobState.RETRYING, START))
        await engine.accept([a_job(2, deadline=START + 10)])
        await clock.advance(11)
        assert not await take(engine)
        waiting = await while_waiting(clock, ready(engine, ["place_order"], 8))
        await clock.advance(8)
        assert not await soon(waiting)

    async def test_no_accept_falls_between_check_and_wait(self, engine: Engine) -> None:
        """However an accept and a wait interleave, the wait sees the job."""
        for turns in range(60):
            operation = f"op-{turns}"
            waiting = asyncio.ensure_future(ready(engine, [operation], 3600))
            for _ in range(turns % 20):
                await asyncio.sleep(0)
            await engine.accept([a_job(turns, operation=operation)])
            assert list(await soon(waiting)) == [operation]

    async def test_a_canceled_wait_takes_nothing_along(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """A wait that is cancelled, also while a job arrives, hides that job from nobody."""
        early = await while_waiting(clock, ready(engine, ["place_order"], 3600))
        await cancel(early)
        late = await while_waiting(clock, ready(engine, ["place_order"], 3600))
        accepting = asyncio.ensure_future(engine.accept([a_job()]))
        await asyncio.sleep(0)
        await cancel(late)
        await accepting

        assert list(await soon(ready(engine, ["place_order"], 3600))) == ANYTHING
        assert ids(await take(engine)) == numbered(1)

"""Waiting for messages, and receiving them under leases."""

from __future__ import annotations

import asyncio

from ...job import JobState
from ..contract import Engine, Message, Work
from ..virtual_clock import VirtualClock
from .harness import EngineHarness, cancel, soon, while_waiting
from .samples import (
    LEASE_SECONDS,
    START,
    a_demand,
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

ANYTHING = ["place_order"]


class ReadyCases(EngineHarness):
    """What `ready` promises."""

    async def test_ready_at_once(self, engine: Engine) -> None:
        """Nothing is waited for where something may be received."""
        await engine.accept([a_job()])
        assert list(await soon(engine.ready(["read_order", "place_order"], 3600))) == ANYTHING

    async def test_nothing_ready_in_time(self, engine: Engine, clock: VirtualClock) -> None:
        """The wait ends when it was to end, empty, and not before."""
        waiting = await while_waiting(clock, engine.ready(["place_order"], 8))
        await clock.advance(7.5)
        assert not waiting.done()
        await clock.advance(0.5)
        assert not await soon(waiting)

    async def test_no_wait_is_no_wait(self, engine: Engine) -> None:
        """Zero seconds ask, and wait for nothing."""
        assert not await soon(engine.ready(["place_order"], 0))

    async def test_an_accept_wakes(self, engine: Engine, clock: VirtualClock) -> None:
        """Whoever waits for an operation learns of its new job without time passing."""
        waiting = await while_waiting(clock, engine.ready(["place_order"], 3600))
        await engine.accept([a_job()])
        assert list(await soon(waiting)) == ANYTHING

    async def test_an_accept_wakes_everyone(self, engine: Engine, clock: VirtualClock) -> None:
        """One who waits hides a job from no other."""
        waiting = [
            await while_waiting(clock, engine.ready(["place_order"], 3600)) for _ in range(3)
        ]
        await engine.accept([a_job()])
        assert [list(await soon(task)) for task in waiting] == [ANYTHING] * 3

    async def test_other_operations_do_not_wake(self, engine: Engine, clock: VirtualClock) -> None:
        """Only what was asked about is reported."""
        await engine.accept([a_job(1, operation="read_order")])
        waiting = await while_waiting(clock, engine.ready(["place_order"], 8))
        await engine.accept([a_job(2, operation="read_order")])
        await clock.advance(8)
        assert not await soon(waiting)

    async def test_each_ready_operation_is_named(self, engine: Engine) -> None:
        """Of several operations those are reported that have something."""
        await engine.accept([a_job(number, operation=f"op-{number}") for number in (1, 2)])
        found = await engine.ready(["op-1", "op-2", "op-3"], 0)
        assert sorted(found) == ["op-1", "op-2"]

    async def test_falling_due_wakes(self, engine: Engine, clock: VirtualClock) -> None:
        """A scheduled job is reported when it falls due, and not before."""
        await engine.accept([a_job(due=START + 5)])
        waiting = await while_waiting(clock, engine.ready(["place_order"], 3600))
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
        waiting = await while_waiting(clock, engine.ready(["place_order"], 3600))
        await engine.accept([a_job(2, due=START + 5)])
        await engine.read([])
        await clock.advance(5)
        assert list(await soon(waiting)) == ANYTHING

    async def test_a_retry_wakes_in_time(self, engine: Engine, clock: VirtualClock) -> None:
        """A retrying job is reported when its backoff is over."""
        held = await take_new(engine)
        await settle(engine, an_end(held, JobState.RETRYING, START, due=START + 30))
        waiting = await while_waiting(clock, engine.ready(["place_order"], 3600))
        await clock.advance(29.5)
        await engine.read([])
        assert not waiting.done()
        await clock.advance(0.5)
        assert list(await soon(waiting)) == ANYTHING

    async def test_given_back_wakes(self, engine: Engine, clock: VirtualClock) -> None:
        """A job that its holder gives back is reported at once."""
        held = await take_new(engine)
        waiting = await while_waiting(clock, engine.ready(["place_order"], 3600))
        await settle(engine, an_end(held, JobState.QUEUED, START))
        assert list(await soon(waiting)) == ANYTHING

    async def test_an_enqueued_job_wakes(self, engine: Engine, clock: VirtualClock) -> None:
        """A job that an attempt enqueued is reported at its commit."""
        held = await take_new(engine)
        waiting = await while_waiting(clock, engine.ready(["send_mail"], 3600))
        work = Work(jobs=[a_job(2, operation="send_mail")])
        await settle(engine, an_end(held, JobState.SUCCEEDED, START), work)
        assert list(await soon(waiting)) == ["send_mail"]

    async def test_a_suspect_is_ready_alone(self, engine: Engine, clock: VirtualClock) -> None:
        """With `alone` suspects are reported and nothing else, without it all but them."""
        held = await take_new(engine)
        waiting = await while_waiting(clock, engine.ready(["place_order"], 3600, alone=True))
        await settle(engine, an_end(held, JobState.QUEUED, START, suspect=True))
        assert list(await soon(waiting)) == ANYTHING
        assert not await engine.ready(["place_order"], 0)

        await engine.accept([a_job(2, operation="read_order")])
        assert not await engine.ready(["read_order"], 0, alone=True)
        assert list(await engine.ready(["read_order"], 0)) == ["read_order"]

    async def test_what_is_held_is_not_ready(self, engine: Engine) -> None:
        """A received job is nobody else's to wait for."""
        await take_new(engine)
        assert not await engine.ready(["place_order"], 0)

    async def test_what_nobody_is_handed_is_not_ready(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """No worker is called for a job past its attempts or its deadline, over and over."""
        held = await take_new(engine, 1, attempts_max=1)
        await settle(engine, an_end(held, JobState.RETRYING, START))
        await engine.accept([a_job(2, deadline=START + 10)])
        await clock.advance(11)
        assert not await take(engine)
        waiting = await while_waiting(clock, engine.ready(["place_order"], 8))
        await clock.advance(8)
        assert not await soon(waiting)

    async def test_no_accept_falls_between_check_and_wait(self, engine: Engine) -> None:
        """However an accept and a wait interleave, the wait sees the job."""
        for turns in range(60):
            operation = f"op-{turns}"
            waiting = asyncio.ensure_future(engine.ready([operation], 3600))
            for _ in range(turns % 20):
                await asyncio.sleep(0)
            await engine.accept([a_job(turns, operation=operation)])
            assert list(await soon(waiting)) == [operation]

    async def test_a_canceled_wait_takes_nothing_along(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """A wait that is cancelled, also while a job arrives, hides that job from nobody."""
        early = await while_waiting(clock, engine.ready(["place_order"], 3600))
        await cancel(early)
        late = await while_waiting(clock, engine.ready(["place_order"], 3600))
        accepting = asyncio.ensure_future(engine.accept([a_job()]))
        await asyncio.sleep(0)
        await cancel(late)
        await accepting

        assert list(await soon(engine.ready(["place_order"], 3600))) == ANYTHING
        assert ids(await take(engine)) == numbered(1)


class ReceiveCases(EngineHarness):
    """What `receive` promises."""

    async def test_nothing_to_receive(self, engine: Engine) -> None:
        """Nothing is waited for."""
        assert not await soon(engine.receive([a_demand()]))

    async def test_the_attempt_counts_before_it_is_handed_out(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """The record is running, its start and its attempt counted, when `receive` returns."""
        await engine.accept([a_job()])
        waiting = await get_one(engine)
        await clock.advance(2)

        held = await take_one(engine)

        assert held.job == await get_one(engine)
        assert held.job.state is JobState.RUNNING
        assert (held.job.attempt, held.job.starts) == (1, 1)
        assert (held.job.started, held.job.updated) == (START + 2, START + 2)
        assert held.job.revision > waiting.revision
        assert (held.lease.job_id, held.lease.alone) == (job_id(1), False)
        assert held.message == Message(payload=b'{"order":1}')

    async def test_each_job_is_handed_out_once(self, engine: Engine) -> None:
        """Concurrent receives share the jobs out: each to one of them, and none left."""
        await engine.accept([a_job(number) for number in range(1, 41)])
        batches = await asyncio.gather(*(take(engine, 4) for _ in range(12)))
        received = [job for batch in batches for job in ids(batch)]
        assert sorted(received) == numbered(*range(1, 41))

    async def test_one_receive_names_a_job_once(self, engine: Engine) -> None:
        """Two demands of one operation in one batch share its jobs out, too."""
        await engine.accept([a_job(number) for number in range(1, 4)])
        received = await engine.receive([a_demand(2), a_demand(2)])
        assert sorted(ids(received)) == numbered(1, 2, 3)

    async def test_the_first_due_is_the_first_out(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """Due jobs leave in the order in which they fell due, whatever the order of arrival."""
        await engine.accept([a_job(number, due=START + 9 - number) for number in (4, 2, 5)])
        await engine.accept([a_job(number, due=START + 9 - number) for number in (3, 1)])
        await clock.advance(9)
        first = ids(await take(engine, 2))
        assert first + ids(await take(engine, 3)) == numbered(5, 4, 3, 2, 1)

    async def test_no_more_than_the_count(self, engine: Engine) -> None:
        """A demand is never exceeded, and the rest stays untouched."""
        await engine.accept([a_job(number) for number in range(1, 6)])
        first = ids(await take(engine, 3))
        untouched = set(numbered(1, 2, 3, 4, 5)) - set(first)
        assert len(first) == 3
        assert [r and r.starts for r in await engine.get(sorted(untouched))] == [0, 0]

    async def test_each_demand_is_of_its_operation(self, engine: Engine) -> None:
        """A batch of demands is answered by each operation's own jobs."""
        await engine.accept([a_job(n, operation=f"op-{n % 3}") for n in range(1, 10)])
        received = await engine.receive(
            [a_demand(2, operation="op-0"), a_demand(9, operation="op-1")]
        )
        taken = sorted(each.job.operation for each in received)
        assert taken == ["op-0"] * 2 + ["op-1"] * 3

    async def test_not_before_it_is_due(self, engine: Engine, clock: VirtualClock) -> None:
        """A scheduled job is handed out from its due time on."""
        await engine.accept([a_job(due=START + 5)])
        await clock.advance(4.5)
        assert not await take(engine)
        await clock.advance(0.5)
        assert (await take_one(engine)).job.state is JobState.RUNNING

    async def test_a_newer_version_is_left_alone(self, engine: Engine) -> None:
        """A worker gets no job of a version it does not know, and is not kept from older ones."""
        newer = [a_job(number, version=2, created=START - 9) for number in range(1, 31)]
        await engine.accept(newer)
        await engine.accept([a_job(31, version=1)])

        assert ids(await take(engine, 1, version_max=1)) == numbered(31)
        assert not await take(engine, 1, version_max=1)

        record = await get_one(engine, 1)
        assert (record.state, record.starts) == (JobState.QUEUED, 0)
        assert len(await take(engine, 30, version_max=2)) == 30

    async def test_past_its_deadline_it_stays(self, engine: Engine, clock: VirtualClock) -> None:
        """A job whose deadline passed is not handed out, and hides none behind it."""
        await engine.accept([a_job(1, deadline=START + 10), a_job(2)])
        await clock.advance(11)
        assert ids(await take(engine)) == numbered(2)
        assert (await get_one(engine, 1)).starts == 0

    async def test_past_its_attempts_it_stays(self, engine: Engine) -> None:
        """A job that used its attempts is not handed out, whoever gave it back."""
        held = await take_new(engine, attempts_max=1)
        await settle(engine, an_end(held, JobState.RETRYING, START))
        assert not await take(engine)

    async def test_an_uncounted_attempt_leaves_its_budget(self, engine: Engine) -> None:
        """What was given back uncounted is handed out again: another start, the same attempt."""
        held = await take_new(engine, attempts_max=1)
        await settle(engine, an_end(held, JobState.QUEUED, START, attempt=0))
        again = await take_one(engine)
        assert (again.job.attempt, again.job.starts) == (1, 2)
        assert again.lease.token != held.lease.token

    async def test_a_suspect_goes_only_to_one_alone(self, engine: Engine) -> None:
        """Without `alone` no suspect is handed out, with it nothing else."""
        held = await take_new(engine, 1)
        await settle(engine, an_end(held, JobState.QUEUED, START, suspect=True))
        await engine.accept([a_job(2)])

        assert ids(await take(engine)) == numbered(2)
        await engine.accept([a_job(3)])
        suspects = await take(engine, alone=True)

        assert ids(suspects) == numbered(1)
        assert suspects[0].lease.alone
        assert not await take(engine, alone=True)
        assert ids(await take(engine)) == numbered(3)

    async def test_a_held_job_is_not_received(self, engine: Engine, clock: VirtualClock) -> None:
        """Not even when its lease lapsed: that is for `overdue` to find."""
        await take_new(engine)
        await clock.advance(LEASE_SECONDS - 1)
        assert not await take(engine)
        await clock.advance(2)
        assert not await take(engine)
        assert not await engine.ready(["place_order"], 0)

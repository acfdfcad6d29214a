"""Receiving messages under leases."""

from __future__ import annotations

import asyncio

from ...job import Attempt, JobState
from ..contract import Engine
from ..values import Message
from ..virtual_clock import VirtualClock
from .harness import EngineHarness, cancel, soon
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
    ready,
    settle,
    take,
    take_new,
    take_one,
)


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
        assert held.job.attempts == (Attempt(number=1, started=START + 2),)

    async def test_what_is_handed_out_is_what_is_stored(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """To the last field: of one that was for later, of one that failed, of one held before."""
        await engine.accept([a_job(due=START + 5)])
        await clock.advance(5)
        held = await take_one(engine)
        assert held.job == await get_one(engine)
        await clock.advance(1)
        await settle(engine, an_end(held, JobState.RETRYING, START + 6))
        await clock.advance(1)
        held = await take_one(engine)
        assert held.job == await get_one(engine)
        assert (held.job.started, held.job.attempt, held.job.starts) == (START + 5, 2, 2)
        await settle(engine, an_end(held, JobState.QUEUED, START + 7))
        assert (await take_one(engine)).job == await get_one(engine)

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
        """A demand is never exceeded, whatever the versions, and the rest stays untouched."""
        await engine.accept([a_job(number, version=number) for number in range(1, 6)])
        first = ids(await take(engine, 3, version_max=9))
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

    async def test_one_revision_says_one_thing(self, engine: Engine, clock: VirtualClock) -> None:
        """A record that says otherwise has moved on, for a scheduled job that fell due as well."""
        await engine.accept([a_job(due=START + 5)])
        scheduled = await get_one(engine)
        await clock.advance(5)
        due = await get_one(engine)
        held = await take_one(engine)
        assert (due.revision > scheduled.revision) is (due.state is not scheduled.state)
        assert held.job.revision > due.revision

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
        assert not await ready(engine, ["place_order"], 0)

    async def test_a_canceled_receive_loses_nothing(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """A job that a cancelled call may have leased waits still, or lapses: it is not gone."""
        await engine.accept([a_job()])
        receiving = asyncio.create_task(engine.receive([a_demand()]))
        await asyncio.sleep(0)
        await cancel(receiving)
        await take(engine)
        await clock.advance(LEASE_SECONDS + 1)
        (lapsed,) = await engine.overdue(10, LEASE_SECONDS)
        assert lapsed.job.id == job_id(1)
        assert lapsed.job.state is JobState.RUNNING

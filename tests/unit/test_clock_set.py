"""The machine's clock is set, back or forth, while jobs wait, run and are held."""

import asyncio
import logging
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from eitherway import App, Context, Limit, Retry, RetryLater
from eitherway.engine.idempotency import KeyHold, KeyRecord, KeyUse, KeyWish
from eitherway.engine.limits import LimitRule, ShareWish
from eitherway.engine.values import Demand, Extension, Finish, Message, NewJob, Settlement
from eitherway.engine.virtual_clock import VirtualClock
from eitherway.engines.sqlite.engine import SqliteEngine
from eitherway.job import JobState
from eitherway.testing import TestApp

HOUR = 3600.0
BOTH = pytest.mark.parametrize("set_by", [-HOUR, HOUR], ids=["back", "forth"])

app = App("clocked")
gates: list[asyncio.Event] = []  # that of the test


@app.post("/quick", delivery="queued")
async def quick() -> str:
    return "done"


@app.operation(retry=Retry(attempts=2, base_seconds=1))
async def again(ctx: Context) -> int:
    if ctx.attempt == 1:
        raise RetryLater(30)
    return ctx.attempt


@app.operation(limit=Limit(per_second=1))
async def paced() -> str:
    return "done"


@app.post("/room", limit=Limit(in_flight=1))
async def room() -> str:
    await gates[-1].wait()
    return "done"


@app.operation(deadline_seconds=60)
async def brief() -> str:
    return "done"


@pytest.fixture
async def clocked():
    gates.append(asyncio.Event())
    async with TestApp(app) as test_app:
        yield test_app


@BOTH
async def test_what_was_accepted_before_is_due_after(clocked, set_by, caplog):
    """At once, in its order, before what is accepted after; and it is said once."""
    before = [await clocked.enqueue(quick) for _ in range(3)]
    clocked.clock.set_by(set_by)
    with caplog.at_level(logging.WARNING):
        after = await clocked.enqueue(quick)
        assert await clocked.drain() == 4
    started = [(await job.record()).revision for job in (*before, after)]
    assert started == [3] * 4
    told = [line for line in caplog.records if "the clock was set by" in line.message]
    assert len(told) == 1
    assert f"{set_by:+.1f} s" in told[0].message


@BOTH
async def test_a_retry_keeps_its_pause(clocked, set_by):
    """No longer, no shorter."""
    job = await clocked.enqueue(again)
    await clocked.drain()
    clocked.clock.set_by(set_by)
    await clocked.advance(29)
    assert await clocked.drain() == 0
    await clocked.advance(1)
    assert await clocked.drain() == 1
    assert await job.result(0) == 2


@BOTH
async def test_a_deadline_is_as_far_away_as_it_was(clocked, set_by):
    """It is a time from the accept on: nothing ends early, and nothing lives on."""
    alive, late = await clocked.enqueue(brief), await clocked.enqueue(brief)
    await clocked.advance(50)
    clocked.clock.set_by(set_by)
    await clocked.enqueue(quick)
    record = await alive.record()
    assert record.deadline == pytest.approx(clocked.clock.now() + 10)
    await clocked.advance(11)
    await clocked.drain()
    assert (await late.record()).state is JobState.FAILED


@BOTH
async def test_what_is_to_be_done_at_a_time_keeps_the_time(clocked, set_by):
    """By the clock as it is now."""
    at = clocked.clock.now() + 2 * HOUR
    job = await clocked.enqueue(quick, at=datetime.fromtimestamp(at, UTC))
    clocked.clock.set_by(set_by)
    await clocked.enqueue(quick)
    await clocked.advance(2 * HOUR - set_by - 1)
    await clocked.drain()
    assert (await job.record()).state is JobState.SCHEDULED
    await clocked.advance(1)
    await clocked.drain()
    assert await job.result(0) == "done"


@BOTH
async def test_a_rate_goes_on(clocked, set_by):
    """One a second: neither stopped for an hour, nor an hour's starts at once."""
    jobs = [await clocked.enqueue(paced) for _ in range(4)]
    assert await clocked.drain() == 1
    clocked.clock.set_by(set_by)
    ran = []
    for _ in range(3):
        ran.append(await clocked.drain())
        await clocked.advance(1)
    ran.append(await clocked.drain())
    assert ran == [0, 1, 1, 1]
    assert [await job.result(0) for job in jobs] == ["done"] * 4


@BOTH
async def test_calls_are_refused_and_let_in_as_before(clocked, set_by):
    """A full limit closes for a moment, not until the clock has come there again."""
    first = asyncio.ensure_future(clocked.request("POST", "/room"))
    await clocked.clock.let_run()
    assert (await clocked.request("POST", "/room")).status == 503
    clocked.clock.set_by(set_by)
    gates[-1].set()
    assert (await asyncio.wait_for(first, 5)).status == 200
    await clocked.advance(1)
    assert (await clocked.request("POST", "/room")).status == 200


@BOTH
async def test_a_long_poll_is_as_long_as_it_was(clocked, set_by):
    """It ends with its wait."""
    job = await clocked.enqueue(quick)
    headers = {"prefer": "wait=20"}
    asked = asyncio.ensure_future(clocked.request("GET", f"/jobs/{job.id}", headers=headers))
    await clocked.clock.let_run()
    clocked.clock.set_by(set_by)
    await clocked.advance(19)
    assert not asked.done()
    await clocked.advance(1)
    assert (await asyncio.wait_for(asked, 5)).json()["status"] == "queued"


# -- the engine alone ------------------------------------------------------------------------------


@pytest.fixture
async def engines(tmp_path):
    """Two on one file, as two processes of a machine have it, and their clock."""
    clock = VirtualClock()
    both = [SqliteEngine(tmp_path / "jobs.db", clock=clock) for _ in range(2)]
    for engine in both:
        await engine.open()
    yield both, clock
    for engine in both:
        await engine.close()


def job(clock, name):
    now = clock.now()
    return NewJob(
        id=name,
        operation="work",
        version=1,
        message=Message(payload=b""),
        created=now,
        due=now,
        deadline=now + 1e6,
        attempts_max=5,
    )


DEMAND = Demand(operation="work", version_max=1, count=10, lease_seconds=15)


@BOTH
async def test_a_lease_neither_lapses_nor_lasts(engines, set_by):
    """Nobody takes a job over that runs; a worker that hangs is taken over when it would have been.

    Whoever was too late cannot commit.
    """
    (one, other), clock = engines
    await one.accept([job(clock, "a")])
    (held,) = await one.receive([DEMAND])
    await clock.advance(10)
    clock.set_by(set_by)
    assert await other.overdue(10, 15) == []
    await clock.advance(4.5)
    assert await other.overdue(10, 15) == []
    assert await one.extend([Extension(lease=held.lease, lease_seconds=15)]) == [True]
    await clock.advance(14.5)
    assert await other.overdue(10, 15) == []
    await clock.advance(1)
    (taken,) = await other.overdue(10, 15)
    assert taken.job.id == "a"
    late = Finish(
        lease=held.lease, state=JobState.SUCCEEDED, attempt=1, starts=1, at=clock.now(),
        attempts=(),
    )  # fmt: skip
    (settled,) = await one.settle([Settlement(finish=late)])
    assert settled.status.value == "lease_lost"


@BOTH
async def test_what_calls_hold_is_held_as_long_as_it_was(engines, set_by):
    """Slots of a limit, and an idempotency key: another process has none of it, then all."""
    (one, other), clock = engines
    rule = LimitRule(name="db", in_flight=1)
    slot = ShareWish(limit=rule, slots=1, in_use=1, lease_seconds=15)
    use = KeyUse(key="k", fingerprint=b"asked", expires=clock.now() + 2 * HOUR)
    wish = KeyWish(use=use, job_id="a", lease_seconds=15)
    assert [share.slots for share in await one.share([slot])] == [1]
    assert isinstance((await one.claim([wish]))[0], KeyHold)
    clock.set_by(set_by)
    for seconds, slots, kind in ((14, 0, KeyRecord), (2, 1, KeyHold)):
        await clock.advance(seconds)
        (share,) = await other.share([replace(slot, in_use=0)])
        assert share.slots == slots
        assert isinstance((await other.claim([wish]))[0], kind)


@BOTH
async def test_it_counts_once_for_all_processes(engines, set_by):
    """Each sees the clock that was set; one moves what waits. Set again, it is moved back."""
    (one, other), clock = engines
    await one.accept([job(clock, "a")])
    (first,) = await one.get(["a"])
    for moved in (set_by, -set_by):
        clock.set_by(moved)
        for engine in (other, one, other):
            await engine.overdue(10, 15)
        (record,) = await one.get(["a"])
        moved_by = record.deadline - first.deadline
        assert moved_by == pytest.approx(moved if moved is set_by else 0.0)


async def test_a_clock_that_is_behind_after_a_start_of_the_machine(tmp_path):
    """Of an earlier start nothing is known but when it was: what was due then is due now."""

    class Restarted(VirtualClock):
        @property
        def boot(self):
            return "another"

    clock = VirtualClock()
    engine = SqliteEngine(tmp_path / "jobs.db", clock=clock)
    await engine.open()
    await engine.accept([job(clock, "a")])
    await engine.close()
    clock = Restarted(clock.now() - HOUR)
    engine = SqliteEngine(tmp_path / "jobs.db", clock=clock)
    await engine.open()
    assert [found.job.id for found in await engine.receive([DEMAND])] == ["a"]
    await engine.close()


async def test_a_worker_that_waits_for_jobs_looks_again(engines):
    """At once, and not when the job would be due by the clock of before."""
    (one, other), clock = engines
    await one.accept([job(clock, "a")])
    clock.set_by(-HOUR)
    waiting = asyncio.ensure_future(one.ready([DEMAND], 20))
    await clock.armed()
    await other.overdue(10, 15)
    assert await asyncio.wait_for(waiting, 5) == ["work"]

"""A job's record as it was at each of its events, told from what it is at the end."""

from dataclasses import replace

import pytest

from eitherway import App, Context, Reject, Retry, RetryLater, Throttled
from eitherway.engine.values import Redrive
from eitherway.gateway.push.replay import as_of, event_of
from eitherway.job import JobState, Outcome
from eitherway.testing import Crash, TestApp
from eitherway.unit import current_unit

app = App("replay")
rows = app.table("rows", dict, key="id")
RETRY = Retry(attempts=4, base_seconds=1, jitter="none")
runs: list[int] = []


@app.operation(retry=RETRY)
async def succeeds(_: Context) -> str:
    return "result"


@app.operation(retry=RETRY)
async def errs_twice(ctx: Context) -> str:
    if ctx.attempt < 3:
        raise RuntimeError("again")
    return "result"


@app.operation(retry=RETRY)
async def errs_always() -> None:
    raise RuntimeError("again")


@app.operation(retry=RETRY)
async def throttled_twice() -> str:
    if len(runs) < 3:
        raise Throttled
    return "result"


@app.operation(retry=RETRY)
async def conflicts_then_waits() -> str:
    row = await rows.get("r", {"id": "r", "n": 0})
    await rows.put({**row, "n": len(runs)})
    if len(runs) < 3:
        token = current_unit.set(None)  # as another process would
        try:
            await rows.put({"id": "r", "n": -len(runs)})
        finally:
            current_unit.reset(token)
    elif len(runs) == 3:
        raise RetryLater(1)
    return "result"


@app.operation(retry=RETRY)
async def rejects() -> None:
    raise Reject("no")


LIVES = [succeeds, errs_twice, errs_always, throttled_twice, conflicts_then_waits, rejects]


@pytest.fixture
async def shop(monkeypatch):
    async with TestApp(app, seed=3) as opened:
        runs.clear()
        execute = opened.runtime.executor.execute

        async def counted(*args):
            runs.append(len(runs))
            return await execute(*args)

        monkeypatch.setattr(opened.runtime.executor, "execute", counted)
        yield opened


async def live(shop, monkeypatch, handler, passing):
    """Run a job to its end; its records, one for each revision."""
    job = await shop.enqueue(handler)
    engine = shop.runtime.engine
    records = [await job.record()]

    def recorded(method):
        async def call(*args):
            answer = await method(*args)
            records.append(await job.record())
            return answer

        return call

    for name in ("receive", "settle", "extend"):
        monkeypatch.setattr(engine, name, recorded(getattr(engine, name)))
    while not (await job.record()).done:
        try:
            await shop.drain()
        except Crash:
            await shop.advance(20)
        if passing and not (await job.record()).done:
            await shop.advance(passing)
    return list({record.revision: record for record in records}.values())


@pytest.mark.parametrize("handler", LIVES, ids=lambda handler: handler.__name__)
async def test_every_earlier_record_can_be_told(shop, monkeypatch, handler):
    """State, times, attempts and their count; never what came later."""
    assert_told(await live(shop, monkeypatch, handler, passing=1.5))


async def test_a_lost_attempt_counts_only_where_it_did(shop, monkeypatch):
    """A death in company does not count, neither then nor later."""
    shop.crash_at("settle.items")
    records = await live(shop, monkeypatch, errs_twice, passing=1.5)
    assert Outcome.LEASE_LOST in [attempt.outcome for attempt in records[-1].attempts]
    assert_told(records)


def assert_told(records):
    final = records[-1]
    assert [record.revision for record in records] == list(range(1, final.revision + 1))
    for record in records:
        told = as_of(final, event_of(record))
        if record is final:
            assert told is final
            continue
        assert (told.answer, told.error, told.expires) == (None, None, None)
        assert told == replace(
            record, due=None, suspect=False, attempts=told.attempts, deadline=told.deadline
        )
        assert facts(told.attempts) == facts(record.attempts)


def facts(attempts):
    return [(each.number, each.outcome, each.finished, each.error) for each in attempts]


async def test_where_time_stands_still_the_sequence_decides(shop, monkeypatch):
    """All at one moment: the attempts come one by one nevertheless."""
    monkeypatch.setattr(RETRY.__class__, "delay_seconds", lambda *_: 0.0)
    for handler in LIVES:
        if handler is not conflicts_then_waits:  # `RetryLater` takes its time
            runs.clear()
            assert_told(await live(shop, monkeypatch, handler, passing=0))


async def test_a_redriven_dead_letter_was_dead(shop):
    """The failure is told with its own error, what follows without."""
    job = await shop.enqueue(errs_always)
    for _ in range(4):
        await shop.drain()
        await shop.advance(10)
    dead = await job.record()
    now = shop.clock.now()
    again = Redrive(job_id=job.id, at=now, due=now, deadline=now + 60, attempts=1)
    assert await shop.runtime.engine.redrive([again]) == [True]
    await shop.drain()
    final = await job.record()
    assert (final.state, final.revision > dead.revision) == (JobState.FAILED, True)
    told = as_of(final, event_of(dead))
    assert (told.state, told.finished, told.attempt) == (dead.state, dead.finished, dead.attempt)
    assert (told.error, told.attempts) == (dead.error, dead.attempts)


async def test_a_snapshot_is_the_event_that_the_log_has(shop):
    """Same job, sequence, state, time and kind: so its id can be the same."""
    engine = shop.runtime.engine
    cursor = (await engine.events(None, 0)).cursor
    job = await shop.enqueue(errs_twice)
    told = [event_of(await job.record())]
    for _ in range(3):
        await shop.drain()
        told.append(event_of(await job.record()))
        await shop.advance(10)
    logged = (await engine.events(cursor, 0)).events
    assert [replace(e, cursor="") for e in logged if e.state is not JobState.RUNNING] == told

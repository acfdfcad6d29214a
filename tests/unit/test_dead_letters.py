"""Dead letters: grouped, sent again at a rate and behind a canary, edited, purged; and pausing."""

import asyncio

import pytest
from operated import Order, beside, kill, make_app

from eitherway import JobState
from eitherway.attempt.dead import Selection, dead_groups
from eitherway.attempt.operators import Operators
from eitherway.engine.listing import JobFilter
from eitherway.errors import InvalidInputError, UnknownJobError, UnknownOperationError
from eitherway.testing import TestApp


def operators_of(test_app, *, known=True):
    runtime = test_app.runtime
    operations = runtime.operations if known else None
    return Operators(runtime.engine, runtime.clock, runtime.watcher, operations)


@pytest.fixture
async def shop():
    """An opened app: (test app, switch, handlers, operators)."""
    app, switch, place, note = make_app()
    async with TestApp(app, seed=1) as test_app:
        yield test_app, switch, place, note, operators_of(test_app)


async def test_dead_letters_are_grouped_by_what_killed_them(shop):
    """Messages that differ in their ids are one cause; what was rejected is not dead."""
    test_app, _, place, note, operators = shop
    started = test_app.clock.now()
    placed = await kill(test_app, place, ["1001", "1002", "1003"])
    noted = await kill(test_app, note, ["n"])
    await kill(test_app, place, ["rejected"], amount=-1)
    dead = await operators.dead()
    assert dead.complete
    first, second = dead.groups
    assert (first.operation, first.kind, first.count) == ("place", "exhausted", 3)
    assert first.cause == "ConnectionError: order # found no database at #"
    assert first.sample in placed
    assert started < first.oldest <= first.newest
    assert (second.operation, second.count, second.sample) == ("note", 1, noted[0])


async def test_a_grouping_ends_and_says_that_there_was_more(shop):
    """However many are dead."""
    test_app, _, place, _, _ = shop
    await kill(test_app, place, ["1001", "1002", "1003"])
    dead = await dead_groups(test_app.runtime.engine, JobFilter(dead=True), scanned_max=2)
    assert not dead.complete
    assert [group.count for group in dead.groups] == [2]


async def test_a_redrive_has_the_budget_and_the_deadline_of_the_operation(shop):
    """Numbering goes on; the deadline counts from when it is due."""
    test_app, switch, place, _, operators = shop
    (job_id,) = await kill(test_app, place, ["a"])
    await test_app.advance(100)
    done = await operators.redrive(Selection(ids=[job_id, "nobody"]))
    assert (done.redriven, done.matched, done.left) == (1, 1, ["nobody"])
    record = (await operators.job(job_id)).job
    assert (record.state, record.attempt, record.attempts_max) == (JobState.QUEUED, 2, 4)
    assert record.deadline == pytest.approx(test_app.clock.now() + 4 * 86_400)
    switch.broken = False
    await test_app.drain()
    record = (await operators.job(job_id)).job
    assert record.state is JobState.SUCCEEDED
    assert [attempt.number for attempt in record.attempts] == [1, 2, 3]


async def test_without_the_app_the_record_gives_the_budget(shop):
    """The attempts it had, and the span from accept to deadline."""
    test_app, _, _, note, _ = shop
    (job_id,) = await kill(test_app, note, ["a"])
    operators = operators_of(test_app, known=False)
    await operators.redrive(Selection(operation="note"))
    record = (await operators.job(job_id)).job
    assert record.attempts_max == 2
    assert record.deadline == pytest.approx(test_app.clock.now() + 100)


async def test_a_rate_spreads_the_jobs_over_time(shop):
    """The oldest first, one each `1 / per_second`."""
    test_app, switch, place, _, operators = shop
    await kill(test_app, place, ["a", "b", "c", "d"])
    switch.broken, switch.ran = False, []
    await operators.redrive(Selection(operation="place"), per_second=2)
    await test_app.drain()
    assert switch.ran == ["a"]
    await test_app.advance(1)
    await test_app.drain()
    assert switch.ran == ["a", "b", "c"]
    await test_app.advance(1)
    await test_app.drain()
    assert switch.ran == ["a", "b", "c", "d"]


async def test_a_selection_by_cause_takes_that_cause_alone(shop):
    """Over all operations."""
    test_app, _, place, note, operators = shop
    placed = await kill(test_app, place, ["a", "b"])
    (noted,) = await kill(test_app, note, ["c"])
    done = await operators.redrive(Selection(cause="ValueError: bad note"))
    assert done.redriven == 1
    assert (await operators.job(noted)).job.state is JobState.QUEUED
    for job_id in placed:
        assert (await operators.job(job_id)).job.state is JobState.FAILED


async def test_a_canary_that_fails_stops_the_redrive(shop):
    """It has one attempt, and the others stay as they were."""
    test_app, switch, place, _, operators = shop
    await kill(test_app, place, ["1001", "1002", "1003"])
    switch.ran = []
    done = await beside(test_app, operators.redrive(Selection(operation="place"), canary=True))
    assert (done.stopped, done.redriven, done.matched) == (True, 1, 3)
    assert done.canary is not None
    assert done.canary.state is JobState.FAILED
    assert switch.ran == ["1001"]
    assert (await operators.dead()).groups[0].count == 3


async def test_a_canary_that_succeeds_lets_the_others_go(shop):
    """The oldest goes ahead."""
    test_app, switch, place, _, operators = shop
    await kill(test_app, place, ["a", "b", "c"])
    switch.broken, switch.ran = False, []
    done = await beside(test_app, operators.redrive(Selection(operation="place"), canary=True))
    await test_app.drain()
    assert (done.stopped, done.redriven) == (False, 3)
    assert switch.ran == ["a", "b", "c"]
    assert (await operators.dead()).groups == []


async def test_a_canary_that_does_not_end_in_time_stops_the_redrive(shop):
    """As when no worker runs."""
    test_app, _, place, _, operators = shop
    await kill(test_app, place, ["a", "b"])
    redrive = operators.redrive(Selection(operation="place"), canary=True, canary_seconds=3)
    task = asyncio.ensure_future(redrive)
    while not task.done():
        await test_app.advance(1)
        await asyncio.sleep(0)
    done = task.result()
    assert (done.stopped, done.redriven) == (True, 1)
    assert done.canary is not None
    assert done.canary.state is JobState.QUEUED


async def test_an_edited_payload_is_checked_and_sent(shop):
    """What does not fit is refused with the places that are wrong, and changes nothing."""
    test_app, switch, place, _, operators = shop
    (job_id,) = await kill(test_app, place, ["a"])
    with pytest.raises(InvalidInputError) as refused:
        await operators.edit(job_id, b'{"key": "b", "amount": "much"}')
    assert [error["pointer"] for error in refused.value.errors] == ["/amount"]
    assert (await operators.job(job_id)).job.state is JobState.FAILED
    switch.broken, switch.ran = False, []
    await operators.edit(job_id, b'{"key": "b", "amount": 2}')
    await test_app.drain()
    assert switch.ran == ["b"]
    with pytest.raises(UnknownJobError, match="succeeded"):
        await operators.edit(job_id, b'{"key": "b", "amount": 2}')


async def test_without_the_app_an_edited_payload_has_to_be_json_of_a_size(shop):
    """More cannot be known."""
    test_app, _, place, _, _ = shop
    (job_id,) = await kill(test_app, place, ["a"])
    operators = operators_of(test_app, known=False)
    with pytest.raises(InvalidInputError):
        await operators.edit(job_id, b"{")
    with pytest.raises(InvalidInputError, match="bytes"):
        await operators.edit(job_id, b" " * 300_000 + b"1")
    await operators.edit(job_id, b'{"any": "thing"}')
    assert (await operators.job(job_id)).message.payload == b'{"any": "thing"}'


async def test_a_purge_deletes_dead_letters_and_nothing_else(shop):
    """By id or by group; a job that lives is left alone."""
    test_app, _, place, note, operators = shop
    first, second = await kill(test_app, place, ["a", "b"])
    await kill(test_app, note, ["c"])
    waiting = await test_app.enqueue(place, Order(key="d", amount=1))
    assert await operators.purge(Selection(ids=[first, waiting.id, "nobody"])) == 1
    with pytest.raises(UnknownJobError):
        await operators.job(first)
    assert await operators.purge(Selection(operation="place")) == 1
    with pytest.raises(UnknownJobError):
        await operators.job(second)
    assert [group.operation for group in (await operators.dead()).groups] == ["note"]
    assert (await operators.job(waiting.id)).job.state is JobState.QUEUED


async def test_a_paused_operation_waits_until_it_is_resumed(shop):
    """Its jobs are accepted all the same; a name that nobody knows is refused."""
    test_app, switch, place, _, operators = shop
    switch.broken = False
    await operators.pause("place", paused=True)
    await test_app.enqueue(place, Order(key="a", amount=1))
    assert await test_app.drain() == 0
    (statistics,) = [o for o in await operators.statistics() if o.operation == "place"]
    assert statistics.paused
    await operators.pause("place", paused=False)
    assert await test_app.drain() == 1
    with pytest.raises(UnknownOperationError):
        await operators.pause("plaice", paused=True)


def test_a_selection_is_of_ids_or_of_a_group():
    """Never of nothing, which would be everything."""
    for wrong in ({}, {"ids": ["a"], "operation": "place"}):
        with pytest.raises(InvalidInputError):
            Selection(**wrong)

"""Batch handlers: many jobs in one call of a handler, each with an end of its own."""

import asyncio

import pytest

from eitherway import App, Context, InvalidInputError, JobFailedError, Reject, RetryLater, Throttled
from eitherway.job import JobState, Outcome
from eitherway.signals import NotFound


class Batches:
    """What the handler was given, call by call."""

    def __init__(self):
        self.calls = []

    @property
    def sizes(self):
        return [len(call) for call in self.calls]


@pytest.fixture
def app():
    return App("batched")


@pytest.fixture
def seen():
    return Batches()


def declare(app, seen, work, **policies):
    """An operation that notes its calls and then does `work(ctx, rows)`."""

    @app.post("/rows", delivery="queued", **{"batch_max": 10, **policies})
    async def store(ctx: Context, rows: list[int]) -> list[int | Exception]:
        seen.calls.append(list(rows))
        return await work(ctx, rows)

    return store


async def echo(ctx, rows):
    return list(rows)


async def enqueue_all(batched, handler, count):
    return [await batched.enqueue(handler, number) for number in range(count)]


async def records(jobs):
    return [await job.record() for job in jobs]


def outcomes(record):
    return [attempt.outcome for attempt in record.attempts]


async def test_jobs_that_wait_are_run_in_one_call(test_app, app, seen):
    """Each job has its own result, and its own one attempt."""
    store = declare(app, seen, echo)
    async with test_app(app) as batched:
        jobs = await enqueue_all(batched, store, 10)
        await batched.drain()
        assert seen.calls == [list(range(10))]
        assert [await job.result(0) for job in jobs] == list(range(10))
        assert {record.attempt for record in await records(jobs)} == {1}


async def test_no_batch_is_larger_than_batch_max(test_app, app, seen):
    """Twenty-five jobs are three calls of a handler that takes ten."""
    store = declare(app, seen, echo)
    async with test_app(app) as batched:
        await enqueue_all(batched, store, 25)
        await batched.drain()
        assert seen.sizes == [10, 10, 5]


async def test_a_plain_handler_takes_a_list_too(test_app, app):
    """And writes with `table.sync`, for each item or for all."""
    rows_table = app.table("rows", dict, key="key")

    @app.operation(batch_max=10)
    def store(rows: list[int], ctx: Context) -> list[int]:
        for index, row in enumerate(rows):
            with ctx.item(index):
                rows_table.sync.put({"key": str(row), "row": row})
        rows_table.sync.put({"key": "all", "rows": rows})
        return rows

    async with test_app(app) as batched:
        jobs = await enqueue_all(batched, store, 3)
        await batched.drain()
        assert [await job.result(0) for job in jobs] == [0, 1, 2]
        assert (await rows_table.get("2"))["row"] == 2
        assert (await rows_table.get("all"))["rows"] == [0, 1, 2]


async def test_the_wire_carries_one_item(test_app, app, seen):
    """A request is one element; a list, or nothing, is refused."""
    declare(app, seen, echo)
    async with test_app(app) as batched:
        accepted = await batched.request("POST", "/rows", json=5)
        assert accepted.status == 202
        assert (await batched.request("POST", "/rows", json=[5])).status == 422
        assert (await batched.request("POST", "/rows")).status == 415
        await batched.drain()
        result = await batched.request("GET", accepted.json()["links"]["result"])
        assert (result.status, result.json()) == (200, 5)


async def test_python_enqueues_one_item(test_app, app, seen):
    """A list is refused with the words of the wire."""
    store = declare(app, seen, echo)
    async with test_app(app) as batched:
        with pytest.raises(InvalidInputError):
            await batched.enqueue(store, [1, 2])
        assert await batched.call(store, 4) == 4
    assert seen.calls == [[4]]


async def test_the_handler_stays_a_function_of_a_list(app, seen):
    """Called as it stands it takes and gives lists."""

    @app.operation(batch_max=5)
    async def double(rows: list[int]) -> list[int]:
        return [2 * row for row in rows]

    assert await double([1, 2]) == [2, 4]


async def test_an_exception_in_the_list_means_the_same_as_if_raised(test_app, app, seen):
    """For that item alone; the others succeed."""

    async def work(ctx, rows):
        return [Reject("no", 409), RetryLater(7), Throttled(), ValueError("broken"), 4]

    store = declare(app, seen, work)
    async with test_app(app) as batched:
        jobs = await enqueue_all(batched, store, 5)
        await batched.drain()
        rejected, later, throttled, broken, good = await records(jobs)
        now = batched.clock.now()
    assert (rejected.state, rejected.kind.value) == (JobState.FAILED, "rejected")
    assert rejected.error["status"] == 409
    assert (later.state, later.due, later.attempt) == (JobState.RETRYING, now + 7, 1)
    assert (throttled.state, throttled.attempt) == (JobState.RETRYING, 0)
    assert (broken.state, outcomes(broken)) == (JobState.RETRYING, [Outcome.ERROR])
    assert "broken" in broken.attempts[0].exception
    assert good.state is JobState.SUCCEEDED
    assert len(seen.calls) == 1


async def test_a_result_of_the_wrong_type_is_its_items_error(test_app, app, seen):
    """One that cannot be encoded takes no other with it."""

    async def work(ctx, rows):
        return ["no number" if row == 1 else row for row in rows]

    store = declare(app, seen, work)
    async with test_app(app) as batched:
        jobs = await enqueue_all(batched, store, 3)
        await batched.drain()
        states = [record.state for record in await records(jobs)]
    assert states == [JobState.SUCCEEDED, JobState.RETRYING, JobState.SUCCEEDED]


@pytest.mark.parametrize("results", [None, [1], "ab", 7])
async def test_a_result_of_another_length_is_an_error_of_all(test_app, app, seen, results):
    """Counted, not tried in halves, and said in so many words."""

    async def work(ctx, rows):
        return results

    store = declare(app, seen, work)
    async with test_app(app) as batched:
        jobs = await enqueue_all(batched, store, 2)
        await batched.drain()
        found = await records(jobs)
    assert seen.sizes == [2]
    for record in found:
        assert (record.state, outcomes(record)) == (JobState.RETRYING, [Outcome.ERROR])
        assert "got 2 items and must return a list of 2 results" in record.attempts[0].exception


async def test_a_poison_row_takes_no_good_one_with_it(test_app, app, seen):
    """The batch is halved until it is alone; only its own attempt counts as failed."""

    async def work(ctx, rows):
        if 6 in rows:
            raise ValueError("poison")
        return rows

    store = declare(app, seen, work)
    async with test_app(app) as batched:
        jobs = await enqueue_all(batched, store, 8)
        await batched.drain()
        found = await records(jobs)
    assert seen.sizes == [8, 4, 4, 2, 2, 1, 1]
    assert [record.state for record in found].count(JobState.SUCCEEDED) == 7
    assert (found[6].state, outcomes(found[6])) == (JobState.RETRYING, [Outcome.ERROR])
    assert {record.starts for record in found} == {1}


async def test_a_raised_signal_is_told_apart_too(test_app, app, seen):
    """`Reject` out of a batch is the answer to one of its items: that one alone gets it."""

    async def work(ctx, rows):
        if 2 in rows:
            raise NotFound("two")
        return rows

    store = declare(app, seen, work)
    async with test_app(app) as batched:
        jobs = await enqueue_all(batched, store, 3)
        await batched.drain()
        states = [(record.state, record.kind) for record in await records(jobs)]
    assert [state for state, _ in states] == [JobState.SUCCEEDED] * 2 + [JobState.FAILED]


async def test_throttled_throttles_all(test_app, app, seen):
    """The database is at its limit for everybody: no halves, nothing counted."""

    async def work(ctx, rows):
        raise Throttled

    store = declare(app, seen, work)
    async with test_app(app) as batched:
        jobs = await enqueue_all(batched, store, 4)
        await batched.drain()
        found = await records(jobs)
    assert seen.sizes == [4]
    assert {outcomes(record)[0] for record in found} == {Outcome.THROTTLED}
    assert {record.attempt for record in found} == {0}


async def test_a_timeout_times_all_out(test_app, app, seen):
    """After the operation's own time, counted."""

    async def work(ctx, rows):
        await asyncio.Event().wait()

    store = declare(app, seen, work, timeout_seconds=5)
    async with test_app(app) as batched:
        jobs = await enqueue_all(batched, store, 3)
        draining = asyncio.create_task(batched.drain())
        await batched.clock.armed()
        await wait_for(lambda: seen.calls)
        await batched.advance(5)
        await draining
        found = await records(jobs)
    assert seen.sizes == [3]
    assert {outcomes(record)[0] for record in found} == {Outcome.TIMED_OUT}
    assert {record.attempt for record in found} == {1}


async def test_a_near_deadline_is_that_items_own(test_app, app, seen):
    """It fails of it; the others run again without it, in the same attempt."""
    store = declare(app, seen, echo, timeout_seconds=60, deadline_seconds=100)
    blocked = asyncio.Event()

    async def work(ctx, rows):
        if 0 in rows:
            await blocked.wait()
        return rows

    app2 = App("deadlines")
    store = declare(app2, seen, work, timeout_seconds=60, deadline_seconds=100)
    async with test_app(app2) as batched:
        first = await batched.enqueue(store, 0)
        await batched.advance(70)
        others = [await batched.enqueue(store, number) for number in (1, 2)]
        draining = asyncio.create_task(batched.drain())
        await wait_for(lambda: seen.calls)
        await batched.advance(30)
        await draining
        late, *good = await records([first, *others])
    assert seen.calls == [[0, 1, 2], [1, 2]]
    assert (late.state, late.kind.value) == (JobState.FAILED, "expired")
    assert [(record.state, record.starts) for record in good] == [(JobState.SUCCEEDED, 1)] * 2


async def test_middleware_wraps_the_batch_once(test_app, seen):
    """It sees the list of results, and the batch's context."""
    around = []

    async def middleware(ctx, proceed):
        around.append(await proceed())
        return around[-1]

    app = App("wrapped", middleware=[middleware])
    store = declare(app, seen, echo)
    async with test_app(app) as batched:
        await enqueue_all(batched, store, 3)
        await batched.drain()
    assert around == [[0, 1, 2]]


async def test_a_direct_call_is_a_batch_of_one(test_app, app):
    """In the same handler, by the same path; what it returns or raises is the answer."""
    calls = []
    rows_table = app.table("rows", dict, key="key")

    @app.post("/direct", batch_max=10)
    async def store(rows: list[int], ctx: Context) -> list[int | Exception]:
        calls.append(rows)
        with ctx.item(0) as one:
            assert one.job_id == ctx.job_id
            await rows_table.put({"key": str(rows[0])})
        await rows_table.put({"key": "shared"})
        return [Reject("below zero") if row < 0 else row for row in rows]

    async with test_app(app) as batched:
        answer = await batched.request("POST", "/direct", json=3)
        assert (answer.status, answer.json()) == (200, 3)
        assert (await batched.request("POST", "/direct", json=-1)).status == 422
        with pytest.raises(JobFailedError):
            await batched.call(store, -2)
        assert await rows_table.get("3", None)
        assert await rows_table.get("shared", None)
        assert await rows_table.get("-1", None) is None
    assert calls == [[3], [-1], [-2]]


async def wait_for(condition):
    """Turn the event loop until it holds."""
    while not condition():
        await asyncio.sleep(0)

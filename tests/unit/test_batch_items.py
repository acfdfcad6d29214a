"""Batch operations: how they are declared, what `ctx.item` shows, when a worker runs a batch."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from eitherway import App, ConfigurationError, Context, JobFailedError, Limit, Reject
from eitherway.attempt.leases import Held
from eitherway.engine.values import Extension
from eitherway.job import JobState, Outcome
from eitherway.worker.batches import Batches
from eitherway.worker.consumer import demand
from eitherway.worker.worker import Worker, run_suspects


class Row(BaseModel):
    key: str = ""


@pytest.fixture
def app():
    return App("items")


def operation_of(app, handler, **policies):
    app.operation(**{"batch_max": 10, **policies})(handler)
    return app.operations.of(handler)


async def wait_for(condition):
    """Turn the event loop until it holds."""
    while not condition():
        await asyncio.sleep(0)


# -- declaring -----------------------------------------------------------------------------------


async def a_list(rows: list[Row]) -> list[Row]:
    return rows


async def a_sequence(rows: Sequence[int], ctx: Context) -> Sequence[int]:
    return rows


async def may_fail(rows: Annotated[list[Row], "many"]) -> list[Row | Exception]:
    return rows


async def may_fail_anyhow(rows: list[Row]) -> list[Row | BaseException | Reject | None]:
    return rows


async def says_nothing(rows: list):
    return rows


@pytest.mark.parametrize(
    ("handler", "item", "result"),
    [
        (a_list, Row, Row),
        (a_sequence, int, int),
        (may_fail, Row, Row),
        (may_fail_anyhow, Row, Row | None),
        (says_nothing, Any, Any),
    ],
)
def test_what_travels_is_one_element(app, handler, item, result):
    """Of the list that is taken, and of the one returned, exceptions left out."""
    binding = operation_of(app, handler).binding
    assert binding.body.adapter._type == item
    assert binding.output._type == result


def test_the_defaults_of_a_batch(app):
    """50 ms, and room for four batches."""
    batch = operation_of(app, a_list, batch_max=100)
    small = operation_of(app, a_sequence, batch_max=10)
    assert batch.batch_wait_seconds == 0.05
    assert [limit.in_flight for limit in (*batch.limits, *small.limits)] == [400, 64]


async def no_list(row: Row) -> list[Row]:
    return [row]


async def two_lists(rows: list[Row], more: list[Row]) -> list[Row]:
    return rows


async def a_query(rows: list[Row], loud: bool = False) -> list[Row]:
    return rows


async def one_result(rows: list[Row]) -> Row:
    return rows[0]


async def no_result(rows: list[Row]) -> None:
    return None


@pytest.mark.parametrize(
    ("handler", "says"),
    [
        (no_list, "takes one list of items, such as rows: list[Row], not 0"),
        (two_lists, "not 2"),
        (a_query, "'loud' is no list"),
        (one_result, "returns a list with one result for each item, such as list[Row], not Row"),
        (no_result, "returns a list"),
    ],
)
def test_another_signature_is_refused(app, handler, says):
    """When it is declared, in one line."""
    with pytest.raises(ConfigurationError) as raised:
        operation_of(app, handler)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_path_parameter_is_refused(app):
    """It would say something about one item only."""
    with pytest.raises(ConfigurationError, match="the path names 'shop'"):
        app.post("/shops/{shop}/rows", batch_max=5)(a_list)


def test_a_get_is_refused(app):
    """It has no body to carry an item."""
    with pytest.raises(ConfigurationError, match="use POST"):
        app.get("/rows", batch_max=5)(a_list)


@pytest.mark.parametrize(
    ("policies", "says"),
    [
        ({"batch_max": 0}, "batch_max is 1 to 1000"),
        ({"batch_max": 1001}, "batch_max is 1 to 1000"),
        ({"batch_max": 2.5}, "batch_max is 1 to 1000"),
        ({"batch_wait_seconds": -1}, "batch_wait_seconds is 0 or more"),
        ({"batch_wait_seconds": float("inf")}, "batch_wait_seconds is 0 or more"),
        ({"batch_max": None, "batch_wait_seconds": 1}, "give batch_max= too"),
    ],
)
def test_wrong_numbers_are_refused(app, policies, says):
    """When it is declared."""
    with pytest.raises(ConfigurationError, match=says):
        operation_of(app, a_list, **policies)


# -- ctx.item ------------------------------------------------------------------------------------


async def test_each_item_has_its_own_view(test_app, app):
    """Its job, its attempts, its deadline, its headers, its progress."""
    views = []

    @app.post("/rows", delivery="queued", batch_max=10)
    async def store(rows: list[int], ctx: Context) -> list[int]:
        for index in range(len(rows)):
            with ctx.item(index) as item:
                item.progress(0.5, f"row {rows[index]}")
                views.append(item)
        assert (ctx.job_id, ctx.headers) == (views[0].job_id, views[0].headers)
        return rows

    async with test_app(app) as batched:
        ids = []
        for number in range(3):
            await batched.advance(1)
            headers = {"x-row": str(number)}
            answer = await batched.request("POST", "/rows", json=number, headers=headers)
            ids.append(answer.json()["id"])
        await batched.drain()
    assert [view.job_id for view in views] == ids
    assert [view.headers["x-row"] for view in views] == ["0", "1", "2"]
    deadlines = [view.deadline for view in views]
    assert deadlines == sorted(set(deadlines))
    assert [(view.attempt, view.attempts_max) for view in views] == [(1, 5)] * 3
    assert [view.take_progress()["note"] for view in views] == ["row 0", "row 1", "row 2"]


async def test_progress_of_the_batch_is_that_of_every_item(test_app, app):
    """Told once, recorded for each."""
    notes = []

    @app.operation(batch_max=10)
    async def store(rows: list[int], ctx: Context) -> list[int]:
        ctx.progress(0.5, "half")
        for index in range(len(rows)):
            with ctx.item(index) as item:
                notes.append(item.take_progress()["note"])
        return rows

    async with test_app(app) as batched:
        for number in range(2):
            await batched.enqueue(store, number)
        await batched.drain()
    assert notes == ["half", "half"]


async def test_an_index_out_of_range_is_an_index_error(test_app, app):
    """Also below 0, which would be somebody else's."""
    raised = []

    @app.operation(batch_max=10)
    async def store(rows: list[int], ctx: Context) -> list[int]:
        for index in (-1, len(rows)):
            with pytest.raises(IndexError) as error:
                ctx.item(index)
            raised.append(str(error.value))
        return rows

    async with test_app(app) as batched:
        assert await batched.call(store, 1) == 1
    assert raised[1] == "item 1 of a batch of 1: they count from 0"


async def test_only_batches_have_items(test_app, app):
    """Elsewhere the error says what to declare."""

    @app.operation()
    async def single(ctx: Context) -> str:
        with pytest.raises(RuntimeError) as error:
            ctx.item(0)
        return str(error.value)

    async with test_app(app) as batched:
        assert "declare it with batch_max=" in await batched.call(single)


# -- the worker ----------------------------------------------------------------------------------


class Working:
    """A worker on the test app's engine and clock, and what its handler was given."""

    def __init__(self, batched):
        self.batched = batched
        self.worker = Worker(batched.runtime)

    async def __aenter__(self):
        await self.worker.start()
        return self

    async def __aexit__(self, *_):
        await self.worker.drain(0)


@pytest.fixture
def calls():
    return []


def store_of(app, calls, **policies):
    @app.operation(**{"batch_max": 3, **policies})
    async def store(rows: list[int]) -> list[int]:
        calls.append(list(rows))
        return list(rows)

    return store


async def test_a_batch_waits_for_company(test_app, app, calls):
    """`batch_wait_seconds` from its first job on, by the app's clock."""
    store = store_of(app, calls, batch_wait_seconds=0.5)
    async with test_app(app) as batched, Working(batched) as working:
        first = await batched.enqueue(store, 1)
        await wait_for(lambda: len(working.worker.leases) == 1)
        await batched.advance(0.4)
        await batched.enqueue(store, 2)
        await wait_for(lambda: len(working.worker.leases) == 2)
        assert calls == []
        await batched.advance(0.1)
        assert await first.result() == 1
    assert calls == [[1, 2]]


async def test_a_full_batch_does_not_wait(test_app, app, calls):
    """Nor does what comes after it go with it."""
    store = store_of(app, calls, batch_wait_seconds=60)
    async with test_app(app) as batched, Working(batched):
        jobs = [await batched.enqueue(store, number) for number in range(3)]
        assert [await job.result() for job in jobs] == [0, 1, 2]
    assert calls == [[0, 1, 2]]


async def test_a_drain_gives_gathered_jobs_back_at_once(test_app, app, calls):
    """They did not begin: they wait again, uncounted, without the drain's time passing."""
    store = store_of(app, calls, batch_wait_seconds=60)
    async with test_app(app) as batched:
        async with Working(batched) as working:
            job = await batched.enqueue(store, 1)
            await wait_for(lambda: len(working.worker.leases) == 1)
            before = batched.clock.now()
            await working.worker.drain(100)
            record = await job.record()
            assert (record.state, record.attempt) == (JobState.QUEUED, 0)
            assert [one.outcome for one in record.attempts] == [Outcome.INTERRUPTED]
            assert batched.clock.now() == before
            assert len(working.worker.leases) == 0
        assert calls == []
        await batched.drain()
    assert calls == [[1]]


async def test_what_arrives_during_a_drain_is_given_back(test_app, app, calls):
    """A claim that was under way when the drain began does not start a batch."""
    store = store_of(app, calls)
    async with test_app(app) as batched:
        job = await batched.enqueue(store, 1)
        operation = app.operations.of(store)
        wanted = demand(batched.runtime, operation, 1, alone=False)
        (delivery,) = await batched.runtime.engine.receive([wanted])
        released = []
        batches = Batches(batched.runtime, released.append, alone=False)
        held = Held(delivery.lease, operation, batched.clock.now())
        batches.close()
        batches.add(held, delivery)
        await held.task
        await wait_for(lambda: released == [held])
        assert await job.status() is JobState.QUEUED
    assert calls == []


async def test_a_consumer_that_stops_takes_nothing_more(test_app, app, calls):
    """Not even what was just given back, which is ready again."""
    store = store_of(app, calls)
    async with test_app(app) as batched:
        job = await batched.enqueue(store, 1)
        batched._consumer.stop()
        assert await batched._consumer.receive_once(0) == 0
        assert (await job.record()).starts == 0


async def test_a_drain_gives_a_running_batch_back(test_app, app):
    """All of its jobs, once the drain's time is over; their limit is free again."""
    begun, blocked = [], asyncio.Event()

    @app.operation(batch_max=3, limit=Limit("db", in_flight=3))
    async def store(rows: list[int]) -> list[int]:
        begun.append(rows)
        await blocked.wait()
        return rows

    async with test_app(app) as batched:
        async with Working(batched) as working:
            jobs = [await batched.enqueue(store, number) for number in range(3)]
            await wait_for(lambda: begun)
            await working.worker.drain(0)
            for record in [await job.record() for job in jobs]:
                assert (record.state, record.attempt) == (JobState.QUEUED, 0)
        blocked.set()
        assert await batched.drain() == 3
        assert [await job.result(0) for job in jobs] == [0, 1, 2]


async def test_limits_count_items(test_app, app, calls):
    """In flight five items: a batch of five, although ten wait and ten are allowed."""
    store = store_of(app, calls, batch_max=10, limit=Limit(in_flight=5))
    async with test_app(app) as batched:
        for number in range(10):
            await batched.enqueue(store, number)
        await batched.drain()
    assert [len(call) for call in calls] == [5, 5]


async def test_a_rate_counts_items(test_app, app, calls):
    """Forty a second are a burst of two, however many the batch may have."""
    store = store_of(app, calls, batch_max=10, limit=Limit(per_second=40))
    async with test_app(app) as batched:
        for number in range(6):
            await batched.enqueue(store, number)
        await batched.drain()
        assert [len(call) for call in calls] == [2]
        await batched.advance(0.05)
        await batched.drain()
    assert [len(call) for call in calls] == [2, 2]


async def test_a_plain_batch_that_outlives_its_time_keeps_its_places(test_app, app):
    """All of its items count in the limit until the thread returns."""
    begun, go = threading.Event(), threading.Event()
    database = Limit("db", in_flight=2)

    @app.operation(batch_max=2, timeout_seconds=5, limit=database)
    def store(rows: list[int]) -> list[int]:
        begun.set()
        go.wait(10)
        return rows

    @app.operation(limit=database)
    async def probe() -> str:
        return "there is room"

    async with test_app(app) as batched:
        jobs = [await batched.enqueue(store, number) for number in range(2)]
        draining = asyncio.create_task(batched.drain())
        await wait_for(begun.is_set)
        await batched.advance(5)
        await draining
        for record in [await job.record() for job in jobs]:
            assert [one.outcome for one in record.attempts] == [Outcome.TIMED_OUT]
        with pytest.raises(JobFailedError):
            await batched.call(probe)
        go.set()
        assert await asyncio.wait_for(until_room(batched, probe), 10) == "there is room"


async def until_room(batched, probe):
    """Call until the limit lets it."""
    while True:
        try:
            return await batched.call(probe)
        except JobFailedError:
            await batched.advance(1)


async def test_a_key_is_that_of_each_item(test_app, app, calls):
    """The limit of a key holds within batches: one row of each customer at once."""
    by_customer = Limit("customer", in_flight=1, key=lambda row: row % 2)
    store = store_of(app, calls, batch_max=10, limit=by_customer)
    async with test_app(app) as batched:
        for number in range(4):
            await batched.enqueue(store, number)
        await batched.drain()
    assert calls == [[0, 1], [2, 3]]


async def test_a_group_keeps_its_order(test_app, app, calls):
    """One job of each group is in a batch; its next comes in the next."""
    store = store_of(app, calls, batch_max=10, group=lambda row: row % 2)
    async with test_app(app) as batched:
        for number in range(4):
            await batched.enqueue(store, number)
        await batched.drain()
    assert calls == [[0, 1], [2, 3]]


async def test_a_suspect_runs_as_a_batch_of_one(test_app, app, calls):
    """After a death in company each is alone, and does not wait for another."""
    store = store_of(app, calls, batch_max=10, batch_wait_seconds=60)
    async with test_app(app) as batched:
        jobs = [await batched.enqueue(store, number) for number in range(3)]
        operation = app.operations.of(store)
        wanted = demand(batched.runtime, operation, 10, alone=False)
        await batched.runtime.engine.receive([wanted])  # by a process that dies
        await batched.advance(16)
        await batched._reaper.reap()
        assert await run_suspects(batched.runtime) == 3
        assert [await job.result(0) for job in jobs] == [0, 1, 2]
    assert sorted(calls) == [[0], [1], [2]]


async def test_an_input_that_no_longer_fits_is_left_out(test_app, app, calls):
    """It becomes a dead letter; the others of its batch run."""
    store = store_of(app, calls, batch_max=10)
    async with test_app(app) as batched:
        jobs = [await batched.enqueue(store, number) for number in range(3)]
        binding = app.operations.of(store).binding
        validate = binding._validate

        def changed(payload, **options):
            return (
                Row.model_validate_json(payload)
                if payload == b"1"
                else validate(payload, **options)
            )

        binding._validate = changed
        await batched.drain()
        found = [await job.record() for job in jobs]
    assert calls == [[0, 2]]
    assert found[1].kind.value == "incompatible"


# -- lost leases ---------------------------------------------------------------------------------


async def lose(batched, *jobs):
    """Have others take these jobs over, and the worker find out."""
    keeper, engine = batched._leases, batched.runtime.engine
    lost = {job.id for job in jobs}
    kept = [held.lease for held in keeper.held() if held.lease.job_id not in lost]
    await engine.extend([Extension(lease=lease, lease_seconds=100) for lease in kept])
    await batched.advance(16)
    assert {taken.job.id for taken in await engine.overdue(10, 15)} == lost
    await keeper.extend_due()
    assert {held.lease.job_id for held in keeper.held() if held.lost} == lost


def losing(app, calls, write):
    """An operation of three items whose first run stops, to lose what the test says."""
    running, go = asyncio.Event(), asyncio.Event()
    canceled = []

    @app.operation(batch_max=3)
    async def store(rows: list[int], ctx: Context) -> list[int]:
        calls.append(list(rows))
        await write(ctx, rows)
        if len(calls) == 1:
            running.set()
            await go.wait()
            for index in range(len(rows)):
                with ctx.item(index) as item:
                    canceled.append(item.canceled)
        return rows

    return store, running, go, canceled


async def test_a_lost_lease_takes_its_item_alone(test_app, app, calls):
    """Its view is canceled and nothing of it is written; the batch goes on for the others."""
    table = app.table("rows", dict, key="key")

    async def write(ctx, rows):
        for index, row in enumerate(rows):
            with ctx.item(index):
                await table.put({"key": str(row)})

    store, running, go, canceled = losing(app, calls, write)
    async with test_app(app) as batched:
        jobs = [await batched.enqueue(store, number) for number in range(3)]
        draining = asyncio.create_task(batched.drain())
        await running.wait()
        await lose(batched, jobs[1])
        go.set()
        await wait_for(lambda: not batched._leases.held())
        draining.cancel()
        states = [await job.status() for job in jobs]
        there = [bool(await table.get(str(number), None)) for number in range(3)]
    assert states == [JobState.SUCCEEDED, JobState.RUNNING, JobState.SUCCEEDED]
    assert there == [True, False, True]
    assert canceled == [False, True, False]
    assert calls == [[0, 1, 2]]


async def test_with_shared_writes_the_batch_runs_again_without_it(test_app, app, calls):
    """What the item had put into them is in nothing that is committed."""
    table = app.table("rows", dict, key="key")

    async def write(ctx, rows):
        await table.put({"key": "sum", "sum": sum(rows)})

    store, running, go, _ = losing(app, calls, write)
    async with test_app(app) as batched:
        jobs = [await batched.enqueue(store, number) for number in range(3)]
        draining = asyncio.create_task(batched.drain())
        await running.wait()
        await lose(batched, jobs[1])
        go.set()
        await wait_for(lambda: not batched._leases.held())
        draining.cancel()
        assert (await table.get("sum"))["sum"] == 2
    assert calls == [[0, 1, 2], [0, 2]]


async def test_a_lease_found_lost_at_the_commit_is_left_out(test_app, app, calls):
    """Another holder took one meanwhile: the engine names it, the others run again."""
    table = app.table("rows", dict, key="key")

    async def write(ctx, rows):
        await table.put({"key": "sum", "sum": sum(rows)})

    store, running, go, _ = losing(app, calls, write)
    async with test_app(app) as batched:
        jobs = [await batched.enqueue(store, number) for number in range(3)]
        draining = asyncio.create_task(batched.drain())
        await running.wait()
        engine = batched.runtime.engine
        leases = [held.lease for held in batched._leases.held()]
        kept = [lease for lease in leases if lease.job_id != jobs[1].id]
        await engine.extend([Extension(lease=lease, lease_seconds=100) for lease in kept])
        await batched.advance(16)
        assert [taken.job.id for taken in await engine.overdue(10, 15)] == [jobs[1].id]
        go.set()
        await wait_for(lambda: not batched._leases.held())
        draining.cancel()
        assert (await table.get("sum"))["sum"] == 2
        assert [await job.result(0) for job in (jobs[0], jobs[2])] == [0, 2]
    assert calls == [[0, 1, 2], [0, 2]]


async def test_a_batch_whose_leases_are_all_lost_is_stopped(test_app, app, calls):
    """Nobody waits for it any more."""

    async def write(ctx, rows):
        pass

    store, running, _, canceled = losing(app, calls, write)
    async with test_app(app) as batched:
        jobs = [await batched.enqueue(store, number) for number in range(3)]
        draining = asyncio.create_task(batched.drain())
        await running.wait()
        await lose(batched, *jobs)
        await wait_for(lambda: not batched._leases.held())
        draining.cancel()
        assert {await job.status() for job in jobs} == {JobState.RUNNING}
    assert canceled == []

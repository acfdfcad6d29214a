"""The Python client against real processes that die: each call runs once, and nothing is lost."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from client_load import DELIVERIES, kill_gateway, kill_while
from pydantic import BaseModel
from service import Service, tick

from eitherway import JobState
from eitherway.client import AsyncClient, Client, JobCanceledError, JobFailedError, ProblemError

pytestmark = pytest.mark.slow

KILLS = 4


class Order(BaseModel):
    order_id: str
    takes_seconds: float = 0.0


@pytest.fixture
async def shop(tmp_path, monkeypatch):
    """Gateway and worker under a supervisor."""
    monkeypatch.setenv("CLIENT_FOLDER", str(tmp_path))
    with Service(tmp_path, "run", target="client_apps:app") as service:
        yield await service.ready()


async def placed(client, orders):
    return [await client.call("GET", f"/placed/{order.order_id}", result=int) for order in orders]


async def events_of(job):
    return [event async for event in job.events()]


async def test_any_way_of_asking_of_any_delivery_under_kills(shop, tmp_path):
    """270 orders, a third in each delivery; of each a third by call, by result, and by events."""
    takes = {"direct": 0.25, "queued": 0.02, "auto": 0.25}  # seconds: a kill hits some that run
    orders = [Order(order_id=f"{n}", takes_seconds=takes[DELIVERIES[n % 3]]) for n in range(270)]
    left, done, told = iter(orders), [], {}

    async def use(client):
        for order in left:
            n = int(order.order_id)
            path = f"/{DELIVERIES[n % 3]}"
            if n % 9 < 3:
                assert await client.call("POST", path, json=order, result=Order) == order
            else:
                job = await client.submit("POST", path, json=order, result=Order)
                if n % 9 < 6 and job.id:
                    told[job.id] = await events_of(job)
                assert await job.result() == order
            done.append(order)

    async with AsyncClient(shop.url) as client:
        work = asyncio.gather(*(use(client) for _ in range(16)))
        kills = await kill_while(shop, work, lambda: len(done), len(orders) // (KILLS + 1))
        await work
        assert kills >= KILLS
        assert len(done) == len(orders)
        assert await placed(client, orders) == [1] * len(orders)
    assert len((tmp_path / "runs").read_text()) > len(orders)  # the kills have hit
    assert len(told) == 60  # all that were not direct
    for events in told.values():
        numbers = [event.sequence for event in events]
        assert numbers == sorted(set(numbers))
        assert [event.done for event in events] == [False] * (len(events) - 1) + [True]
        assert numbers[-1] - numbers[0] == len(events) - 1  # from where it began, without a gap


async def test_who_waits_is_told_over_restarts_of_the_gateway(shop, tmp_path):
    """By `result`, by `events` and by `call`, all waiting while it is killed three times."""
    order, events = Order(order_id="o1"), []

    async def follow():
        async for event in job.events():
            events.append(event)  # noqa: PERF401 - looked at meanwhile

    async with AsyncClient(shop.url) as client:
        job = await client.submit("POST", "/held", json=order, result=Order)
        waiting = [
            asyncio.ensure_future(work)
            for work in (
                job.result(timeout_seconds=60),
                follow(),
                client.call("POST", "/held", json=order, result=Order),
            )
        ]
        while not (events and events[-1].progress):
            await tick()
        for _ in range(3):
            await kill_gateway(shop)
            assert await job.status() is JobState.RUNNING  # it is there again
        assert not any(one.done() for one in waiting)
        (tmp_path / "o1").touch()
        result, _, called = await asyncio.gather(*waiting)
    assert result == called == order
    numbers = [event.sequence for event in events]
    assert numbers == [*range(numbers[0], numbers[-1] + 1)]
    assert [event.status for event in events][-2:] == ["running", "succeeded"]
    assert Order.model_validate(events[-1].data["result"]) == order


async def test_a_job_is_taken_up_again_by_its_id_and_its_events_by_their_cursor(shop, tmp_path):
    order = Order(order_id="o1")
    async with AsyncClient(shop.url) as first:
        job_id = (await first.submit("POST", "/held", json=order)).id
        async for event in first.job(job_id).events():
            if event.progress:
                break
    (tmp_path / "o1").touch()
    async with AsyncClient(shop.url) as second:
        job = second.job(job_id, result=Order)
        assert await job.result() == order
        rest = [one async for one in job.events(after=event.cursor)]
    assert event.progress == {"fraction": 0.5, "note": "half way"}
    assert [(one.sequence, one.status) for one in rest] == [(event.sequence + 1, "succeeded")]


async def test_how_it_ends_otherwise(shop, tmp_path):
    """Canceled, failed, not there: an error that says so, in each way of asking."""
    order = Order(order_id="never")
    async with AsyncClient(shop.url) as client:
        job = await client.submit("POST", "/held", json=order)
        with pytest.raises(TimeoutError, match=f"job {job.id}: no result within 0.5 s; it goes on"):
            await job.result(timeout_seconds=0.5)
        assert (await job.cancel(), await job.cancel()) == (True, False)
        assert (await job.document())["status"] == "canceled"
        with pytest.raises(JobCanceledError, match=job.id):
            await job.result()
        with pytest.raises(
            TimeoutError, match=r"POST /held: no result within 1.5 s; job .* goes on"
        ):
            await client.call("POST", "/held", json=order, timeout_seconds=1.5)

        job = await client.submit("POST", "/refused", json=order)
        with pytest.raises(JobFailedError, match=r"409 .*no such customer") as failed:
            await job.result()
        assert (failed.value.kind, failed.value.job_id) == ("rejected", job.id)
        with pytest.raises(ProblemError, match=r"409 .*no such customer") as refused:
            await client.call("POST", "/refused", json=order)
        assert refused.value.problem == failed.value.problem
        with pytest.raises(ProblemError, match="404 No such job"):
            await client.job("none").result()
        with pytest.raises(ProblemError, match=r"422 .* /order_id Field required"):
            await client.submit("POST", "/queued", json={})
    (tmp_path / "never").touch()


async def test_threads_share_a_plain_client_under_kills(shop):
    """Eight threads, 160 orders in every delivery; the gateway dies meanwhile."""
    orders = [Order(order_id=f"{n}", takes_seconds=0.02) for n in range(160)]
    done = []

    def place(order):
        path = f"/{DELIVERIES[int(order.order_id) % 3]}"
        if int(order.order_id) % 2:
            assert client.call("POST", path, json=order, result=Order) == order
        else:
            job = client.submit("POST", path, json=order, result=Order)
            assert not job.id or [event.done for event in job.events()][-1]
            assert job.result(timeout_seconds=60) == order
        done.append(order)

    def place_all():
        with ThreadPoolExecutor(8) as threads:
            return list(threads.map(place, orders))

    with Client(shop.url) as client:
        work = asyncio.ensure_future(asyncio.to_thread(place_all))
        kills = await kill_while(shop, work, lambda: len(done), 50)
        await work
    assert kills >= 3
    async with AsyncClient(shop.url) as looking:
        assert await placed(looking, orders) == [1] * len(orders)

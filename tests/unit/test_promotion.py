"""A call of an `auto` operation that takes longer than its caller waits becomes a job."""

import asyncio

import pytest
from pydantic import BaseModel

from eitherway import App, Context, Limit, Retry
from eitherway.engine.capabilities import Capabilities
from eitherway.errors import EngineUnavailableError
from eitherway.testing import TestApp


class Order(BaseModel):
    order_id: str
    note: str = ""


class Shop:
    """An app whose handler waits until `go` is set; it counts its runs and keeps its contexts."""

    def __init__(self):
        self.go = asyncio.Event()
        self.contexts = []
        self.app = App("shop")
        self.orders = self.app.table("orders", Order, key="order_id")
        auto = {"delivery": "auto", "retry": Retry(attempts=3, base_seconds=1)}
        limit = Limit("db", in_flight=1)
        self.app.post("/auto", name="auto", limit=limit, lease_seconds=9, **auto)(self.place)
        self.app.post("/brief", name="brief", wait_seconds=3, **auto)(self.place)

        @self.app.post("/batched", delivery="auto", batch_max=5)
        async def batched(orders: list[Order]) -> list[Order]:
            return orders

    async def place(self, order: Order, ctx: Context) -> Order:
        self.contexts.append(ctx)
        await self.orders.put(order)
        await self.go.wait()
        if order.note == "error" and len(self.contexts) == 1:
            raise RuntimeError("a secret of the inside")
        return order


@pytest.fixture
async def shop():
    shop = Shop()
    async with TestApp(shop.app, seed=1) as opened:
        opened.shop = shop
        yield opened


def post(shop, prefer=None, note="", path="/auto"):
    headers = {} if prefer is None else {"prefer": prefer}
    body = {"order_id": "A-1", "note": note}
    return asyncio.ensure_future(shop.request("POST", path, json=body, headers=headers))


async def running(shop, *args, **kwargs):
    """A request whose handler has started."""
    request = post(shop, *args, **kwargs)
    while not shop.shop.contexts:
        await shop.clock.let_run()
    return request


async def promoted(shop, prefer="wait=5", note=""):
    """The job document of a call that was promoted."""
    request = await running(shop, prefer, note)
    await shop.advance(5)
    response = await request
    assert response.status == 202
    return response.json()


async def document(shop, job):
    return (await shop.request("GET", f"/jobs/{job['id']}")).json()


async def ended(shop, job):
    """The job once its handler was let go."""
    shop.shop.go.set()
    job = asyncio.ensure_future(
        shop.request("GET", f"/jobs/{job['id']}", headers={"prefer": "wait=5"})
    )
    return (await job).json()


async def use(shop):
    (use,) = await shop.runtime.engine.limits(["db"])
    return use.running + use.held


async def test_a_call_that_ends_in_time_is_a_200(shop):
    """With what was applied; nothing is stored."""
    request = await running(shop, "wait=5")
    await shop.advance(4.9)
    shop.shop.go.set()
    response = await request
    assert (response.status, response.headers["preference-applied"]) == (200, "wait=5")
    assert response.headers["vary"] == "Prefer"
    assert (await shop.request("GET", f"/jobs/{shop.shop.contexts[0].job_id}")).status == 404


async def test_a_call_that_takes_longer_is_promoted_as_it_runs(shop):
    """202 at n; the same run ends the job, its writes with it, and nothing else runs."""
    request = await running(shop, "respond-async, wait=5")
    await shop.advance(5)
    response = await request
    job = response.json()
    assert (response.status, job["status"], job["attempt"]) == (202, "running", 1)
    assert response.headers["preference-applied"] == "respond-async, wait=5"
    assert response.headers["location"].endswith(job["id"])
    assert job["id"] == shop.shop.contexts[0].job_id
    assert await shop.drain() == 0

    done = await ended(shop, job)

    assert (done["status"], done["result"]["order_id"]) == ("succeeded", "A-1")
    assert [one["outcome"] for one in done["attempts"]] == ["succeeded"]
    assert len(shop.shop.contexts) == 1
    assert (await shop.shop.orders.get("A-1")).order_id == "A-1"
    assert await shop.drain() == 0


async def test_the_operations_own_wait_promotes_without_being_asked(shop):
    """And names no preference."""
    request = await running(shop, path="/brief")
    await shop.advance(3)
    response = await request
    assert (response.status, response.json()["status"]) == (202, "running")
    assert "preference-applied" not in response.headers


async def test_a_failure_after_promotion_is_retried_as_a_job(shop):
    """By policy, which a call does not have."""
    job = await promoted(shop, note="error")
    assert shop.shop.contexts[0].attempts_max == 3
    shop.shop.go.set()
    while (await document(shop, job))["status"] == "running":
        await shop.clock.let_run()
    assert (await document(shop, job))["status"] == "retrying"
    await shop.advance(1)
    assert await shop.drain() == 1
    assert [one["outcome"] for one in (await document(shop, job))["attempts"]] == [
        "error",
        "succeeded",
    ]


async def test_its_lease_is_kept_and_progress_recorded(shop):
    """Through several leases, by the gateway's process."""
    job = await promoted(shop)
    shop.shop.contexts[0].progress(0.5, "half way")
    for _ in range(30):
        await shop.advance(1)
        await shop.runtime.engine.purge(0)
    assert await shop.drain() == 0
    assert (await document(shop, job))["progress"] == {"fraction": 0.5, "note": "half way"}
    assert (await ended(shop, job))["status"] == "succeeded"


async def test_a_promoted_call_counts_once_in_its_limits(shop):
    """It keeps its place until it ends: the next call overflows, and its job waits."""
    job = await promoted(shop)
    assert await use(shop) == 1
    over = await post(shop)
    assert over.status == 202
    assert await shop.drain() == 0
    assert (await ended(shop, job))["status"] == "succeeded"
    await shop.advance(1)
    assert await shop.drain() == 1
    assert await use(shop) == 0


async def test_a_write_that_fails_leaves_the_call_a_call(shop, monkeypatch):
    """No 202, and no preference that was honoured: the answer, when it is there."""

    async def away(_):
        raise EngineUnavailableError("the disk is full")

    monkeypatch.setattr(shop.runtime.engine, "promote", away)
    request = await running(shop, "wait=5")
    await shop.advance(60 - 1)
    assert not request.done()
    shop.shop.go.set()
    assert (await request).status == 200
    assert "preference-applied" not in (await request).headers


async def test_a_handler_that_ends_while_the_write_is_under_way_settles_under_it(shop, monkeypatch):
    """It waits for the write: one 202, one end, and the result in the record."""
    engine, may_write = shop.runtime.engine, asyncio.Event()
    promote = engine.promote

    async def slowly(promotions):
        await may_write.wait()
        return await promote(promotions)

    monkeypatch.setattr(engine, "promote", slowly)
    request = await running(shop, "wait=5")
    await shop.advance(5)
    shop.shop.go.set()
    await shop.clock.let_run()
    assert not request.done()
    may_write.set()
    job = (await request).json()
    assert (await request).status == 202
    assert (await ended(shop, job))["status"] == "succeeded"
    assert await use(shop) <= 1
    assert len(shop.shop.contexts) == 1


async def test_a_lost_lease_fences_the_call_out(shop):
    """Somebody took the job over: what the handler wrote is not kept, and it runs again."""
    job = await promoted(shop)
    engine = shop.runtime.engine
    await engine.purge(0)
    (lapsed,) = await overdue_at(shop, 1000)
    assert lapsed.job.id == job["id"]
    await shop.advance(4)
    await engine.purge(0)
    assert shop.shop.contexts[0].canceled
    with pytest.raises(Exception, match="A-1"):
        await shop.shop.orders.get("A-1")


async def overdue_at(shop, seconds):
    """What is overdue when nobody could extend for so long."""
    shop.clock._now += seconds
    return await shop.runtime.engine.overdue(10, 60)


async def test_a_drain_promotes_who_waits_and_gives_back_what_does_not_end(shop):
    """202 at once; the job runs again elsewhere, uncounted."""
    request = await running(shop, "wait=50")
    shop.app.begin_drain()
    response = await request
    assert response.status == 202
    await shop.app.drain(0)
    job = await document(shop, response.json())
    assert (job["status"], job["attempt"]) == ("queued", 0)
    assert [one["outcome"] for one in job["attempts"]] == ["interrupted"]
    shop.shop.go.set()
    assert await shop.drain() == 1
    assert (await document(shop, job))["status"] == "succeeded"


async def test_a_drain_lets_a_promoted_call_finish(shop):
    """Within its time."""
    job = await promoted(shop)
    draining = asyncio.ensure_future(shop.app.drain(30))
    await shop.clock.let_run()
    assert not draining.done()
    shop.shop.go.set()
    await draining
    assert (await document(shop, job))["status"] == "succeeded"


async def test_where_nothing_can_be_promoted_it_is_stored_first(shop, monkeypatch):
    """A batch handler's call, as on an engine that says so."""
    request = post(shop, "wait=5", path="/batched")
    await shop.clock.armed()
    assert await shop.drain() == 1
    assert (await request).status == 200


async def test_an_engine_that_cannot_promote_stores_first(monkeypatch):
    """`promotes_running` is False: `wait` holds the request for the job."""
    from dataclasses import replace

    from eitherway.engines.sqlite.engine import SqliteEngine

    able: Capabilities = SqliteEngine().capabilities
    unable = property(lambda _: replace(able, promotes_running=False))
    monkeypatch.setattr(SqliteEngine, "capabilities", unable)
    shop = Shop()
    shop.go.set()
    async with TestApp(shop.app, seed=1) as opened:
        request = post(opened, "wait=5")
        await opened.clock.armed()
        assert not shop.contexts
        assert await opened.drain() == 1
        assert (await request).status == 200


async def test_a_request_that_is_cancelled_takes_its_call_with_it(shop):
    """As any direct call: a server that gives up on it ends it, and nothing is kept."""
    request = await running(shop, "wait=5")
    request.cancel()
    await asyncio.wait({request})
    await shop.runtime.limiter.return_idle()
    assert await use(shop) == 0
    assert await shop.drain() == 0


async def test_a_promoted_call_is_canceled_as_any_job(shop):
    """Its handler is stopped, nothing is written, and its place is free when it has returned."""
    job = (await promoted(shop))["id"]
    (held,) = shop.app._gateway.promoted._leases.held()
    canceled = await shop.request("DELETE", f"/jobs/{job}")
    assert (canceled.status, canceled.json()["status"]) == (200, "canceled")
    await asyncio.wait({held.task})
    assert shop.shop.contexts[0].canceled
    assert await shop.shop.orders.get("A-1", None) is None
    await shop.runtime.limiter.return_idle()
    (use,) = await shop.runtime.engine.limits(["db"])
    assert (use.running, use.held) == (0, 0)
    assert not await shop.runtime.engine.overdue(10, 15)

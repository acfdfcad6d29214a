"""`delivery="auto"`: at once while there is room, stored when there is none."""

import asyncio

import pytest
from pydantic import BaseModel

from eitherway import App, ConfigurationError, Context, Limit, Reject
from eitherway.testing import TestApp


class Order(BaseModel):
    order_id: str
    note: str = ""


class Shop:
    """An app whose handler waits until `go` is set, and notes what it is told."""

    def __init__(self):
        self.go = asyncio.Event()
        self.go.set()
        self.ids = []
        self.app = App("shop")
        limit = Limit("db", in_flight=1)
        self.app.post("/auto", name="auto", delivery="auto", limit=limit, backlog_max=2)(self.place)
        self.app.post("/direct", name="direct", limit=limit)(self.place)

    async def place(self, order: Order, ctx: Context) -> Order:
        self.ids.append(ctx.job_id)
        await self.go.wait()
        if order.note == "reject":
            raise Reject("no such customer", status=409)
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


async def full(shop):
    """A call that holds the only place."""
    shop.shop.go.clear()
    call = post(shop)
    while not shop.shop.ids:
        await asyncio.sleep(0)
    return call


@pytest.mark.parametrize(("note", "status"), [("", 200), ("reject", 409)])
async def test_a_plain_request_runs_at_once_while_there_is_room(shop, note, status):
    """The direct answer, with `Vary`; nothing is stored."""
    response = await post(shop, note=note)
    assert (response.status, response.headers["vary"]) == (status, "Prefer")
    assert "preference-applied" not in response.headers
    assert await shop.drain() == 0


async def test_a_full_limit_overflows_to_a_job(shop):
    """202 instead of 503, under the id that the call would have had; a direct call is refused."""
    first = await full(shop)
    over = await post(shop)
    refused = await post(shop, path="/direct")
    shop.shop.go.set()

    assert (over.status, over.headers["vary"]) == (202, "Prefer")
    assert "preference-applied" not in over.headers
    assert refused.status == 503
    assert (await first).status == 200
    assert await shop.drain() == 1
    result = await shop.request("GET", f"/jobs/{over.json()['id']}/result")
    assert result.body == (await first).body
    assert shop.shop.ids[1:] == [over.json()["id"]]
    figures = (await shop.request("GET", "/metrics")).body.decode()
    assert 'eitherway_jobs_accepted_total{operation="auto"} 1.0' in figures


async def test_an_overflow_with_a_wait_is_held_for_its_result(shop):
    """As a queued operation's."""
    first = await full(shop)
    over = post(shop, "wait=10")
    while list(await shop.runtime.engine.waiting(["auto"])) == [0]:
        await asyncio.sleep(0)
    shop.shop.go.set()
    await first
    assert await shop.drain() == 1
    assert (await over).status == 200
    assert (await over).headers["preference-applied"] == "wait=10"


async def test_respond_async_is_stored_though_there_is_room(shop):
    """202 at once."""
    response = await post(shop, "respond-async")
    assert (response.status, response.headers["preference-applied"]) == (202, "respond-async")
    assert await shop.drain() == 1


async def test_the_backlog_bounds_the_overflow_alone(shop):
    """503 past `backlog_max`; with room, calls run however many jobs wait."""
    first = await full(shop)
    answers = [(await post(shop)).status for _ in range(3)]
    refused = await post(shop)
    shop.shop.go.set()
    await first
    assert answers == [202, 202, 503]
    assert refused.json()["type"] == "/problems/backlog-full"
    assert (await post(shop)).status == 200


def test_what_cannot_be_either_is_refused_when_declared():
    """A GET is safe to repeat and makes no job; at once and in order do not go together."""
    app = App("shop")

    async def place(order: Order) -> Order:
        return order

    async def read() -> str:
        return ""

    with pytest.raises(ConfigurationError, match="a GET is safe and cannot be queued"):
        app.get("/orders", delivery="auto")(read)
    with pytest.raises(ConfigurationError, match='keeps no order: group= needs delivery="queued"'):
        app.post("/a", delivery="auto", group=lambda order: order.order_id)(place)
    with pytest.raises(ConfigurationError, match='"direct", "queued" or "auto", not \'async\''):
        app.post("/b", delivery="async")(place)

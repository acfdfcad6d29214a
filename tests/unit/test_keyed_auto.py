"""`Idempotency-Key` together with `Prefer` and `delivery="auto"`: one run, whatever it becomes."""

import asyncio

import pytest
from pydantic import BaseModel

from eitherway import App, Context, Limit
from eitherway.testing import TestApp


class Order(BaseModel):
    number: int = 1


class Shop:
    """An app whose handler waits until `go` is set; it notes its runs."""

    def __init__(self):
        self.go = asyncio.Event()
        self.go.set()
        self.runs = []
        self.raises = False
        self.app = App("shop")
        limit = Limit("db", in_flight=1)
        self.app.post("/auto", name="auto", delivery="auto", limit=limit, backlog_max=1)(self.place)
        self.app.post("/queued", name="queued", delivery="queued")(self.place)

    async def place(self, order: Order, ctx: Context) -> Order:
        self.runs.append(ctx.job_id)
        await self.go.wait()
        if self.raises:
            raise RuntimeError("oops")
        return order

    def post(self, path="/auto", key="k", prefer=None):
        headers = {"idempotency-key": key}
        if prefer is not None:
            headers["prefer"] = prefer
        request = self.test.request("POST", path, json={"number": 1}, headers=headers)
        return asyncio.ensure_future(request)

    async def running(self, **asked):
        """A request whose handler has started."""
        self.go.clear()
        request, runs = self.post(**asked), len(self.runs)
        while len(self.runs) == runs:
            await self.test.clock.let_run()
        return request


@pytest.fixture
async def shop():
    made = Shop()
    async with TestApp(made.app, seed=1) as made.test:
        yield made


def kind(response):
    return response.status, response.json().get("type")


async def test_an_answer_at_once_is_replayed_with_vary(shop):
    """Whatever the repeat prefers; `Vary` is of replays, too."""
    first = await shop.post()
    for prefer in (None, "wait=5"):
        again = await shop.post(prefer=prefer)
        assert (again.status, again.body) == (200, first.body)
        assert again.headers["idempotent-replayed"] == "true"
        assert again.headers["vary"] == "Prefer"
    assert len(shop.runs) == 1


@pytest.mark.parametrize("prefer", [None, "wait=5", "respond-async"])
async def test_of_fifty_at_once_one_runs(shop, prefer):
    """The others are told that it runs, what it answered, or of its job."""
    requests = [shop.post(prefer=prefer) for _ in range(50)]
    answers = await asyncio.gather(*requests)
    await shop.test.drain()
    assert {answer.status for answer in answers} <= {200, 202, 409}
    assert {answer.status for answer in answers} & {200, 202}
    assert len(shop.runs) == 1


async def test_fifty_past_the_limit_make_one_job(shop):
    """The key goes over to the job of the one that found no room."""
    other = await shop.running(key="other")
    answers = await asyncio.gather(*(shop.post() for _ in range(50)))
    again = await shop.post()
    shop.go.set()
    await other
    assert {answer.status for answer in answers} <= {202, 409}
    ids = {answer.json()["id"] for answer in [*answers, again] if answer.status == 202}
    assert ids == {again.json()["id"]}
    assert await shop.test.drain() == 1
    assert shop.runs[1:] == [again.json()["id"]]


async def test_an_overflow_that_the_backlog_refuses_leaves_its_key_free(shop):
    """503, not 409 from then on."""
    other = await shop.running(key="other")
    assert (await shop.post(key="a")).status == 202
    for _ in range(2):
        assert kind(await shop.post()) == (503, "/problems/backlog-full")
    shop.go.set()
    await other
    assert (await shop.post()).status == 200


async def test_a_promoted_call_takes_its_key_with_it(shop):
    """409 while it is a call, then 202 with its job, then the result for who waits for it."""
    request = await shop.running(prefer="wait=5")
    assert kind(await shop.post()) == (409, "/problems/idempotency-key-in-use")
    await shop.test.advance(5)
    first = await request
    again = await shop.post()
    assert (first.status, again.status) == (202, 202)
    assert again.json()["id"] == first.json()["id"] == shop.runs[0]

    waiting = shop.post(prefer="wait=5")
    shop.go.set()
    response = await waiting
    assert (response.status, response.json()) == (200, {"number": 1})
    assert response.headers["preference-applied"] == "wait=5"
    assert (await shop.post()).status == 202
    assert len(shop.runs) == 1


async def test_a_failure_in_time_leaves_the_key_free(shop):
    """Of a call that could have been promoted: the repeat runs, under the same id."""
    shop.raises = True
    assert (await shop.post(prefer="wait=5")).status == 500
    shop.raises = False
    assert (await shop.post(prefer="wait=5")).status == 200
    assert len(shop.runs) == 2
    assert len(set(shop.runs)) == 1


async def test_a_repeat_waits_for_the_job_as_it_prefers(shop):
    """IDEM-2: plain, a 202 with the same id; `wait=n`, the result if it ends in time."""
    first = await shop.post("/queued")
    late = shop.post("/queued", prefer="wait=3")
    await shop.test.clock.armed()
    await shop.test.advance(3)
    assert ((await late).status, (await late).json()["id"]) == (202, first.json()["id"])
    held = shop.post("/queued", prefer="wait=3")
    await shop.test.clock.armed()
    assert await shop.test.drain() == 1
    assert ((await held).status, (await held).json()) == (200, {"number": 1})
    assert (await shop.post("/queued")).json()["status"] == "succeeded"
    assert len(shop.runs) == 1


async def test_a_deleted_job_is_gone_for_its_key_too(shop):
    """410, and no second run."""
    job = (await shop.post("/queued")).json()
    await shop.test.drain()
    await shop.test.request("DELETE", f"/jobs/{job['id']}")
    assert kind(await shop.post("/queued")) == (410, "/problems/job-gone")
    assert len(shop.runs) == 1

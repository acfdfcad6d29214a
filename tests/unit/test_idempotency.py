"""`Idempotency-Key`: how often a request is sent does not matter, whichever way it is served."""

import asyncio

import pytest
from pydantic import BaseModel
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException

from eitherway import (
    App,
    ConfigurationError,
    Conflict,
    Context,
    Limit,
    NotFound,
    Reject,
    RetryLater,
    Throttled,
)
from eitherway.settings import Settings
from eitherway.sql import create_once_table, once
from eitherway.testing import Crash, TestApp

DAY_SECONDS = 86_400
ERRORS = {
    "reject": lambda: Reject("no such size", status=409),
    "not-found": lambda: NotFound("no such shop"),
    "conflict": lambda: Conflict("sold"),
    "http": lambda: HTTPException(418, "teapot"),
    "later": lambda: RetryLater(3),
    "throttled": Throttled,
    "bug": lambda: RuntimeError("oops"),
}
ANSWERS = ["reject", "not-found", "conflict", "http"]
FAILURES = ["later", "throttled", "bug"]


class Order(BaseModel):
    number: int = 1


class Shop:
    """An app with an operation of each delivery; it notes the job id of each run."""

    def __init__(self):
        self.app = App("keyed")
        self.runs = []
        self.raises = None
        self.entered = asyncio.Event()
        self.proceed = asyncio.Event()
        self.proceed.set()
        self.orders = self.app.table("orders", dict, key="run")

        @self.app.post("/direct/{shop}", status=201)
        async def direct(shop: str, order: Order, ctx: Context, dry: bool = False) -> Order:
            return await self.run(order, ctx)

        @self.app.post("/queued", delivery="queued")
        async def queued(order: Order, ctx: Context) -> Order:
            return await self.run(order, ctx)

        @self.app.post("/full", delivery="queued", backlog_max=1)
        async def full(order: Order) -> Order:
            return order

        @self.app.post("/batch", batch_max=10)
        async def batch(orders: list[Order], ctx: Context) -> list[Order]:
            with ctx.item(0):
                return [await self.run(order, ctx) for order in orders]

        @self.app.post("/one", limit=Limit(in_flight=1), timeout_seconds=5)
        async def one(order: Order, ctx: Context) -> Order:
            return await self.run(order, ctx)

        @self.app.post("/needed", idempotency_key="required")
        async def needed(order: Order, ctx: Context) -> Order:
            return await self.run(order, ctx)

        @self.app.post("/ignored", idempotency_key="ignored")
        async def ignored(order: Order, ctx: Context) -> Order:
            return await self.run(order, ctx)

        @self.app.get("/orders")
        async def read(ctx: Context) -> int:
            self.runs.append(ctx.job_id)
            return len(self.runs)

    async def run(self, order, ctx):
        self.runs.append(ctx.job_id)
        await self.orders.put({"run": str(len(self.runs)), "number": order.number})
        self.entered.set()
        await self.proceed.wait()
        if self.raises is not None:
            error = ERRORS[self.raises]()
            raise error
        return order

    async def post(self, path="/direct/a", key="k1", json=None, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if key is not None:
            headers["idempotency-key"] = key
        json = {"number": 1} if json is None else json
        return await self.test.request("POST", path, json=json, headers=headers)

    async def stored(self):
        return [row["run"] async for row in self.orders.query()]


@pytest.fixture
async def shop():
    made = Shop()
    async with TestApp(made.app, seed=1) as test_app:
        made.test = test_app
        yield made


def kind(response):
    return response.status, response.json().get("type")


# -- the header --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("8e03978e", '"8e03978e"'),
        ('"8e03978e"', '  "8e03978e";v=1;text="a;b" '),
        (r'a"b\c', r'"a\"b\\c"'),
        ("x" * 255, '"' + "x" * 255 + '"'),
        ("a,b;c", '"a,b;c"'),
    ],
)
async def test_in_quotes_or_bare_it_is_the_same_key(shop, first, second):
    """IDEM-5: a structured String or a bare key; parameters say nothing."""
    assert (await shop.post(key=first)).status == 201
    again = await shop.post(key=second)
    assert again.headers["idempotent-replayed"] == "true"
    assert len(shop.runs) == 1


@pytest.mark.parametrize(
    "key",
    ["", '""', "x" * 256, '"' + "x" * 256 + '"', "a b", '"a b"', '"open', '"a"b', "café", "a\tb",
     '"a"; =', r'"a\b"', '"a", "b"'],
)  # fmt: skip
async def test_another_value_is_a_400(shop, key):
    """IDEM-5: 1 to 255 visible ASCII characters; nothing runs and nothing is kept."""
    for path in ("/direct/a", "/queued"):
        refused = await shop.post(path, key=key)
        assert kind(refused) == (400, "/problems/idempotency-key-invalid")
    assert shop.runs == []


async def test_two_keys_are_a_400(shop):
    """Which of them would count is nobody's to guess."""
    scope_headers = {"idempotency-key": "a", "Idempotency-Key": "b"}
    refused = await shop.test.request("POST", "/queued", json={}, headers=scope_headers)
    assert kind(refused) == (400, "/problems/idempotency-key-invalid")


async def test_quotes_may_be_demanded():
    """The strict setting refuses bare keys, and says how one is written."""
    made = Shop()
    async with TestApp(made.app, settings=Settings(idempotency_key_quoted=True)) as made.test:
        refused = await made.post(key="bare")
        assert kind(refused) == (400, "/problems/idempotency-key-invalid")
        assert 'Idempotency-Key: "' in refused.json()["detail"]
        assert (await made.post(key='"quoted"')).status == 201


async def test_an_operation_may_require_a_key(shop):
    """IDEM-1: without one, 400."""
    missing = await shop.post("/needed", key=None)
    assert kind(missing) == (400, "/problems/idempotency-key-missing")
    assert (await shop.post("/needed")).status == 200
    assert len(shop.runs) == 1


async def test_an_operation_may_ignore_keys(shop):
    """Also one that is no key at all."""
    for key in ("k1", "k1", "not a key"):
        assert (await shop.post("/ignored", key=key)).status == 200
    assert len(shop.runs) == 3


async def test_a_safe_request_has_no_use_for_a_key(shop):
    """GET runs each time."""
    for _ in range(2):
        await shop.test.request("GET", "/orders", headers={"idempotency-key": "k1"})
    assert len(shop.runs) == 2


@pytest.mark.parametrize("policy", ["always", True, None])
def test_an_unknown_policy_is_refused_when_declared(policy):
    """With the three there are."""
    with pytest.raises(ConfigurationError, match="optional"):
        App("x").post("/", idempotency_key=policy)(lambda: None)


@pytest.mark.parametrize("declare", [lambda app: app.get, lambda app: app.operation])
def test_a_required_key_is_refused_where_none_can_come(declare):
    """On GET, and on what no request reaches."""
    app = App("x")
    paths = ["/"] if declare(app) == app.get else []
    with pytest.raises(ConfigurationError, match="idempotency_key"):
        declare(app)(*paths, idempotency_key="required")(lambda: None)


async def test_no_key_asks_the_engine_for_nothing(shop):
    """The way of a direct call without a key has no round trip."""
    asked = []
    engine = shop.test.runtime.engine
    claim, keys = engine.claim, engine.keys
    engine.claim = lambda wishes: asked.append(wishes) or claim(wishes)
    engine.keys = lambda names: asked.append(names) or keys(names)
    await shop.post(key=None)
    assert asked == []
    await shop.post()
    assert asked != []


# -- another request ---------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/direct/a", "/queued"])
async def test_the_same_key_for_another_body_is_a_422(shop, path):
    """IDEM-1; the first request stays what it was."""
    first = await shop.post(path)
    other = await shop.post(path, json={"number": 2})
    assert kind(other) == (422, "/problems/idempotency-key-reused")
    again = await shop.post(path)
    assert (again.status, again.json().get("id")) == (first.status, first.json().get("id"))


async def test_what_the_request_asks_for_is_compared(shop):
    """IDEM-4: path, query and content type belong to it."""
    await shop.post("/direct/a")
    for path, headers in (
        ("/direct/b", {}),
        ("/direct/a?dry=true", {}),
        ("/direct/a", {"content_type": "application/json; charset=utf-8"}),
    ):
        other = await shop.post(path, **headers)
        assert kind(other) == (422, "/problems/idempotency-key-reused"), path


async def test_preferences_tracing_and_credentials_are_not_compared(shop):
    """IDEM-4: so that a repeat may ask for the other delivery, in another trace."""
    first = await shop.post()
    again = await shop.post(prefer="respond-async", traceparent="00-1-2-01", authorization="x")
    assert (again.status, again.body) == (first.status, first.body)
    assert len(shop.runs) == 1


async def test_each_route_has_keys_of_its_own(shop):
    """The same key at another operation is another key."""
    assert (await shop.post("/direct/a")).status == 201
    assert (await shop.post("/needed")).status == 200
    assert (await shop.post("/queued")).status == 202


# -- queued ------------------------------------------------------------------------------------


async def test_a_repeat_gets_the_same_job(shop):
    """IDEM-2: 202, the same id and headers, the document of now; never 409."""
    first = await shop.post("/queued")
    again = await shop.post("/queued")
    assert (first.status, again.status) == (202, 202)
    assert again.json() == first.json()
    assert again.headers == first.headers
    assert await shop.test.drain() == 1

    ended = await shop.post("/queued")
    assert ended.status == 202
    assert (ended.json()["id"], ended.json()["status"]) == (first.json()["id"], "succeeded")
    assert ended.headers["location"] == first.headers["location"]
    assert "retry-after" not in ended.headers
    assert await shop.test.drain() == 0
    assert shop.runs == [first.json()["id"]]


async def test_fifty_at_once_make_one_job(shop):
    """IDEM-6."""
    answers = await asyncio.gather(*(shop.post("/queued") for _ in range(50)))
    assert {answer.status for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert await shop.test.drain() == 1


async def test_a_repeat_is_answered_when_the_backlog_is_full(shop):
    """Its job is in the backlog already; a new one is refused."""
    first = await shop.post("/full")
    assert (await shop.post("/full", key="k2")).status == 503
    again = await shop.post("/full")
    assert (again.status, again.json()["id"]) == (202, first.json()["id"])


async def test_a_crash_while_accepting_leaves_key_and_job_or_neither(shop):
    """They are one commit; what was not answered is found, or made, by the repeat."""
    for step in ("accept.written", "accept.committed"):
        shop.test.crash_at(step)
        with pytest.raises(Crash):
            await shop.post("/queued", key=step)
        again = await shop.post("/queued", key=step)
        assert again.status == 202
        assert again.json()["id"] == (await shop.post("/queued", key=step)).json()["id"]
    assert await shop.test.drain() == 2


async def test_a_key_of_a_job_expires(shop):
    """IDEM-5: a day after the accept there is a new run; before, purging leaves it."""
    first = await shop.post("/queued")
    await shop.test.drain()
    await shop.test.advance(DAY_SECONDS - 1)
    await shop.test.runtime.engine.purge(100)
    assert (await shop.post("/queued")).json()["id"] == first.json()["id"]
    await shop.test.advance(1)
    again = await shop.post("/queued")
    assert again.status == 202
    assert again.json()["id"] != first.json()["id"]
    assert await shop.test.drain() == 1


async def test_a_key_may_outlive_its_job():
    """Where records are kept for a shorter time: 404, and no second run."""
    made = Shop()
    async with TestApp(made.app, settings=Settings(retention_seconds=60)) as made.test:
        await made.post("/queued")
        await made.test.drain()
        await made.test.advance(61)
        await made.test.runtime.engine.purge(100)
        gone = await made.post("/queued")
        assert kind(gone) == (404, "/problems/unknown-job")
        assert "new key" in gone.json()["detail"]


# -- direct ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/direct/a", "/batch"])
async def test_a_repeat_gets_the_same_answer(shop, path):
    """IDEM-3: status, body and headers, byte for byte, and `Idempotent-Replayed`."""
    first = await shop.post(path)
    again = await shop.post(path)
    assert (again.status, again.body) == (first.status, first.body)
    assert again.headers == {**first.headers, "idempotent-replayed": "true"}
    assert "idempotent-replayed" not in first.headers
    assert (len(shop.runs), await shop.stored()) == (1, ["1"])


@pytest.mark.parametrize("path", ["/direct/a", "/batch"])
@pytest.mark.parametrize("raises", ANSWERS)
async def test_what_a_handler_answers_on_purpose_is_an_answer(shop, raises, path):
    """IDEM-3: a rejection is replayed; the handler does not run again, though it would succeed."""
    shop.raises = raises
    first = await shop.post(path)
    shop.raises = None
    again = await shop.post(path)
    assert 400 <= first.status < 500
    assert (again.status, again.body) == (first.status, first.body)
    assert again.headers == {**first.headers, "idempotent-replayed": "true"}
    assert len(shop.runs) == 1


@pytest.mark.parametrize("path", ["/direct/a", "/batch"])
@pytest.mark.parametrize("raises", FAILURES)
async def test_a_failure_leaves_the_key_free(shop, raises, path):
    """IDEM-3: nothing was written, so the repeat runs, under the same id."""
    shop.raises = raises
    assert (await shop.post(path)).status >= 500
    shop.raises = None
    again = await shop.post(path)
    assert again.status < 300
    assert "idempotent-replayed" not in again.headers
    assert len(shop.runs) == 2
    assert len(set(shop.runs)) == 1
    assert await shop.stored() == ["2"]


async def test_a_free_key_may_serve_another_request(shop):
    """Which is then another call."""
    shop.raises = "bug"
    await shop.post()
    shop.raises = None
    assert (await shop.post(json={"number": 2})).status == 201
    assert len(set(shop.runs)) == 2


async def test_a_timeout_leaves_the_key_free(shop):
    """504: the caller may send it again at once."""
    shop.proceed.clear()
    call = asyncio.create_task(shop.post("/one"))
    await shop.entered.wait()
    await shop.test.advance(5)
    assert (await call).status == 504
    shop.proceed.set()
    assert (await shop.post("/one")).status == 200


async def test_a_refusal_before_the_run_leaves_the_key_free(shop):
    """IDEM-3: invalid input, or no place in the limit, ran nothing."""
    assert (await shop.post("/one", json={"number": "x"})).status == 422
    shop.proceed.clear()
    call = asyncio.create_task(shop.post("/one", key=None))
    await shop.entered.wait()
    assert kind(await shop.post("/one")) == (503, "/problems/overloaded")
    shop.proceed.set()
    await call
    assert (await shop.post("/one")).status == 200
    assert len(shop.runs) == 2


@pytest.mark.parametrize("path", ["/direct/a", "/batch"])
async def test_of_fifty_at_once_one_runs(shop, path):
    """IDEM-6 and IDEM-1: the others are told to come back, and then get its answer."""
    shop.proceed.clear()
    calls = [asyncio.create_task(shop.post(path)) for _ in range(50)]
    await shop.entered.wait()
    while sum(call.done() for call in calls) < 49:
        left = [call for call in calls if not call.done()]
        await asyncio.wait(left, return_when="FIRST_COMPLETED")
    refused = [call.result() for call in calls if call.done()]
    assert {kind(answer) for answer in refused} == {(409, "/problems/idempotency-key-in-use")}
    assert {answer.headers["retry-after"] for answer in refused} == {"1"}
    shop.proceed.set()
    (first,) = [await call for call in calls if (await call).status != 409]
    assert (await shop.post(path)).body == first.body
    assert len(shop.runs) == 1


async def test_a_long_call_keeps_its_key(shop):
    """Its lease is extended for as long as it runs."""
    shop.proceed.clear()
    call = asyncio.create_task(shop.post())
    await shop.entered.wait()
    for _ in range(20):
        await shop.test.advance(2.5)
        assert (await shop.post()).status == 409
    shop.proceed.set()
    assert (await call).status == 201
    assert len(shop.runs) == 1


async def test_after_a_death_the_repeat_runs_under_the_same_id(shop):
    """IDEM-1: not before the lease is over; then once more, and its writes are there once."""
    shop.test.crash_at("settle.items")
    with pytest.raises(Crash):
        await shop.post()
    assert (await shop.post()).status == 409
    await shop.test.advance(15)
    again = await shop.post()
    assert again.status == 201
    assert len(shop.runs) == 2
    assert len(set(shop.runs)) == 1
    assert await shop.stored() == ["2"]


async def test_a_death_after_the_commit_leaves_the_answer(shop):
    """Answer, writes and key are one commit: the repeat is answered, and runs nothing."""
    shop.test.crash_at("settle.committed")
    with pytest.raises(Crash):
        await shop.post()
    again = await shop.post()
    assert (again.status, again.headers["idempotent-replayed"]) == (201, "true")
    assert (len(shop.runs), await shop.stored()) == (1, ["1"])


@pytest.mark.parametrize("path", ["/direct/a", "/batch"])
async def test_who_lost_the_key_writes_nothing(shop, path):
    """A call whose lease lapsed unseen, and was taken over, is told to come back."""
    engine = shop.test.runtime.engine
    claim = engine.claim

    async def no_extensions(wishes):
        if any(wish.use.token is not None for wish in wishes):
            return await asyncio.Event().wait()
        return await claim(wishes)

    engine.claim = no_extensions
    shop.proceed.clear()
    late = asyncio.create_task(shop.post(path))
    await shop.entered.wait()
    await shop.test.advance(15)
    shop.entered.clear()
    second = asyncio.create_task(shop.post(path))
    await shop.entered.wait()
    shop.proceed.set()
    answers = [await late, await second]
    assert max(answer.status for answer in answers) == 409
    assert min(answer.status for answer in answers) in (200, 201)
    assert len(await shop.stored()) == 1
    assert len(set(shop.runs)) == 1


async def test_a_key_of_an_answer_expires(shop):
    """IDEM-5: a day after the answer there is a new run, with an id of its own."""
    await shop.post()
    await shop.test.advance(DAY_SECONDS - 1)
    assert (await shop.post()).headers["idempotent-replayed"] == "true"
    await shop.test.advance(1)
    assert "idempotent-replayed" not in (await shop.post()).headers
    assert len(set(shop.runs)) == 2


async def test_expired_keys_are_deleted(shop):
    """By the reaper's purge, with the records; until then they are kept."""
    for number in range(3):
        await shop.post(key=f"k{number}")
    engine = shop.test.runtime.engine
    assert await engine.purge(2) == 0
    await shop.test.advance(DAY_SECONDS)
    assert [await engine.purge(2) for _ in range(3)] == [2, 1, 0]


async def test_the_time_is_a_setting():
    """And so published in the settings."""
    made = Shop()
    async with TestApp(made.app, settings=Settings(idempotency_key_seconds=60)) as made.test:
        await made.post()
        await made.test.advance(60)
        await made.post()
        assert len(made.runs) == 2


async def test_once_has_its_effect_once(tmp_path):
    """A call that failed after its own database committed: the repeat gets what that has done."""
    database = create_engine(f"sqlite:///{tmp_path / 'own.db'}")
    create_once_table(database)
    app = App("paid")
    ran = []

    @app.post("/pay")
    async def pay(ctx: Context) -> int:
        def body():
            ran.append(ctx.job_id)
            return len(ran)

        with Session(database) as session:
            paid = once(ctx, session, body)
            session.commit()
        if len(ran) == 1 and not failed:
            failed.append(True)
            raise RuntimeError("the answer is lost")
        return paid

    failed = []
    async with TestApp(app) as test_app:
        headers = {"idempotency-key": "k"}
        statuses = [
            (await test_app.request("POST", "/pay", headers=headers)).status for _ in range(3)
        ]
    database.dispose()
    assert statuses == [500, 200, 200]
    assert len(ran) == 1


# -- from one delivery to the other --------------------------------------------------------------


def either(url, delivery, handler):
    """An app as it was before a deploy, or as it is after, on one store."""
    app = App("either")
    app.post("/orders", delivery=delivery)(handler)
    return TestApp(app, engine=url)


async def send(test_app):
    return await test_app.request("POST", "/orders", json={}, headers={"idempotency-key": "k"})


async def test_an_answer_is_replayed_after_the_operation_became_queued(tmp_path):
    """A deploy between request and repeat changes the delivery, not what the key stands for."""
    runs = []

    async def place(order: Order) -> Order:
        runs.append(order)
        return order

    url = f"sqlite:///{tmp_path / 'jobs.db'}"
    async with either(url, "direct", place) as test_app:
        first = await send(test_app)
    async with either(url, "queued", place) as test_app:
        again = await send(test_app)
        assert await test_app.drain() == 0
    assert (again.status, again.body) == (first.status, first.body)
    assert again.headers["idempotent-replayed"] == "true"
    assert runs == [Order()]


async def test_a_job_is_found_after_the_operation_became_direct(tmp_path):
    """The repeat is answered with the job, and runs nothing."""

    async def place(order: Order) -> Order:
        raise AssertionError("ran")

    url = f"sqlite:///{tmp_path / 'jobs.db'}"
    async with either(url, "queued", place) as test_app:
        first = await send(test_app)
    async with either(url, "direct", place) as test_app:
        again = await send(test_app)
    assert (again.status, again.body) == (202, first.body)


async def test_a_job_has_the_id_of_the_call_that_failed_before_it(tmp_path):
    """So that what `eitherway.sql.once` has done under that id is not done again."""
    ids = []

    async def place(order: Order, ctx: Context) -> Order:
        ids.append(ctx.job_id)
        if len(ids) == 1:
            raise RuntimeError("oops")
        return order

    url = f"sqlite:///{tmp_path / 'jobs.db'}"
    async with either(url, "direct", place) as test_app:
        assert (await send(test_app)).status == 500
    async with either(url, "queued", place) as test_app:
        accepted = await send(test_app)
        assert await test_app.drain() == 1
    assert ids == [accepted.json()["id"]] * 2

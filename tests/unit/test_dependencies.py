"""Dependencies of handlers: made once an attempt, in every delivery, and always closed."""

import asyncio
import contextlib
import threading
from collections import Counter
from contextvars import ContextVar, copy_context
from functools import partial
from typing import Annotated

import pytest
from fastapi import Depends as FastApiDepends
from pydantic import BaseModel

from eitherway import (
    App,
    Context,
    Depends,
    JobFailedError,
    Reject,
    Retry,
    RetryLater,
)
from eitherway.attempt.leases import finish_or_give_back
from eitherway.testing import TestApp

pytestmark = pytest.mark.parametrize("marker", [Depends, FastApiDepends], ids=["ours", "fastapi"])


EMPTY = copy_context()  # without an attempt


class Order(BaseModel):
    order_id: str
    amount: float = 1.0


class Log(list):
    """What happened, in order."""

    def session(self, name="session"):
        """An async generator that notes how it is left."""

        async def get():
            self.append(f"{name} opens")
            try:
                yield name
            except BaseException as error:
                self.append(f"{name} sees {type(error).__name__}")
                raise
            else:
                self.append(f"{name} commits")
            finally:
                self.append(f"{name} closes")

        return get

    def plain_session(self, name="session"):
        """The same, as a plain generator."""

        def get():
            self.append(f"{name} opens")
            try:
                yield name
            except BaseException as error:
                self.append(f"{name} sees {type(error).__name__}")
                raise
            else:
                self.append(f"{name} commits")
            finally:
                self.append(f"{name} closes")

        return get


WELL = ["session opens", "runs", "session commits", "session closes"]


@pytest.fixture(params=["async", "plain"])
def log(request):
    """A log, whose `session` is of either kind."""
    log = Log()
    if request.param == "plain":
        log.session = log.plain_session
    return log


async def run(test, delivery, path="/orders", **order):
    """Send an order, and give the answer that comes at last."""
    body = {"order_id": "A-1", **order}
    answer = await test.request("POST", path, json=body)
    if delivery == "direct":
        return answer
    assert answer.status == 202, answer.json()
    await test.drain()
    return await test.request("GET", f"/jobs/{answer.json()['id']}/result")


def shop(get, marker, delivery="direct", *, handler=None, **policies):
    """An app with one operation, which takes what `get` makes."""
    app = App("shop")

    @app.post("/orders", delivery=delivery, **policies)
    async def place_order(order: Order, session: Annotated[str, marker(get)]) -> str:
        return await handler(order, session) if handler else session

    app.place_order = place_order
    return app


@pytest.mark.parametrize("delivery", ["direct", "queued"])
async def test_a_generator_is_open_while_the_handler_runs_and_closed_before_the_commit(
    marker, log, delivery
):
    """The table's write is not there yet when the session commits: its failure could undo that."""
    app = App("shop")
    orders = app.table("orders", Order, key="order_id")
    get = log.session()

    async def outside(session: Annotated[str, marker(get)]):
        yield session
        version = await asyncio.create_task(orders.version("A-1"), context=EMPTY.copy())
        log.append(f"{version} there")

    @app.post("/orders", delivery=delivery)
    async def place_order(order: Order, session: Annotated[str, marker(outside)]) -> Order:
        log.append("runs")
        await orders.put(order)
        return order

    async with TestApp(app) as test:
        assert (await run(test, delivery)).status == 200
        assert log == [WELL[0], "runs", "0 there", *WELL[2:]]
        assert await orders.version("A-1") == 1


@pytest.mark.parametrize("delivery", ["direct", "queued"])
async def test_what_the_handler_raises_is_thrown_into_it(marker, log, delivery):
    """And stays what it is."""

    async def reject(order, session):
        raise Reject("no")

    app = shop(log.session(), marker, delivery, handler=reject)
    async with TestApp(app) as test:
        assert (await run(test, delivery)).status == 422
    assert log == ["session opens", "session sees Reject", "session closes"]


@pytest.mark.parametrize("delivery", ["direct", "queued"])
async def test_a_result_that_does_not_fit_rolls_it_back(marker, log, delivery):
    """It is read while the session is open, as an ORM's lazy attributes need."""

    async def wrong(order, session):
        return object()

    app = shop(log.session(), marker, delivery, handler=wrong, retry=Retry(attempts=1))
    async with TestApp(app) as test:
        assert (await run(test, delivery)).status == 500
    assert log == ["session opens", "session sees TypeError", "session closes"]


async def test_what_it_raises_as_it_closes_fails_the_attempt(marker, log):
    """A commit that fails is retried, and nothing of the attempt is kept."""
    app = App("shop")
    orders = app.table("orders", Order, key="order_id")
    tries = []

    async def get():
        yield "a session"
        tries.append(1)
        if len(tries) == 1:
            raise ConnectionError("no commit")

    @app.post("/orders", delivery="queued", retry=Retry(base_seconds=1))
    async def place_order(order: Order, session: Annotated[str, marker(get)]) -> None:
        await orders.put(order, if_absent=True)

    async with TestApp(app) as test:
        job = await test.enqueue(place_order, Order(order_id="A-1"))
        await test.drain()
        assert await orders.version("A-1") == 0
        await test.advance(5)
        await test.drain()
        assert await job.status() == "succeeded"
        assert await orders.version("A-1") == 1


async def test_what_it_raises_instead_takes_the_place_of_the_handlers(marker, log):
    """A database's own error becomes an answer; what is swallowed does not become a success."""

    async def translating():
        try:
            yield "a session"
        except KeyError:
            raise Reject("no such thing", status=404) from None

    async def swallowing():
        with contextlib.suppress(KeyError):
            yield "a session"

    async def fail(order, session):
        raise KeyError(session)

    for get, status in ((translating, 404), (swallowing, 500)):
        async with TestApp(shop(get, marker, handler=fail)) as test:
            assert (await run(test, "direct")).status == status


async def test_each_attempt_and_each_run_after_a_conflict_has_its_own(marker, log):
    """Made anew, and closed each time."""
    app = App("shop")
    orders = app.table("orders", Order, key="order_id")
    get = log.session()

    @app.post("/orders", retry=Retry(base_seconds=1), delivery="queued")
    async def place_order(ctx: Context, order: Order, session: Annotated[str, marker(get)]) -> None:
        log.append(f"runs {ctx.attempt}")
        found = await orders.get("A-1", None)
        if ctx.attempt == 1:
            raise RetryLater(1)
        if found is None:
            await asyncio.create_task(other(), context=EMPTY.copy())
        await orders.put(order)

    async def other():
        await orders.put(Order(order_id="A-1"))

    async with TestApp(app) as test:
        job = await test.enqueue(place_order, Order(order_id="A-1"))
        await test.drain()
        await test.advance(1)
        await test.drain()
        assert await job.status() == "succeeded"
    first = ["session opens", "runs 1", "session sees RetryLater", "session closes"]
    again = ["session opens", "runs 2", "session commits", "session closes"]
    assert log == [*first, *again, *again]


async def test_it_is_closed_when_the_time_is_up(marker, log):
    """The handler is cancelled, and so is what it depends on."""
    never = asyncio.Event()

    async def wait(order, session):
        await never.wait()

    app = shop(log.session(), marker, handler=wait, timeout_seconds=5)
    async with TestApp(app) as test:
        answer = asyncio.ensure_future(run(test, "direct"))
        while "session opens" not in log:
            await asyncio.sleep(0)
        await test.advance(5)
        assert (await answer).status == 504
    assert log == ["session opens", "session sees CancelledError", "session closes"]


async def test_it_is_closed_when_its_job_is_canceled(marker, log):
    """And what it raises then does not change that."""
    never = asyncio.Event()

    async def wait(order, session):
        await never.wait()

    get = log.session()

    async def failing(session: Annotated[str, marker(get)]):
        try:
            yield session
        finally:
            raise ConnectionError("no rollback")

    app = shop(failing, marker, "queued", handler=wait)
    async with TestApp(app) as test:
        job = await test.enqueue(app.place_order, Order(order_id="A-1"))
        draining = asyncio.ensure_future(test.drain())
        while "session opens" not in log:
            await asyncio.sleep(0)
        assert (await test.request("DELETE", f"/jobs/{job.id}")).status == 200
        await draining
        assert (await job.record()).attempts[-1].outcome == "canceled"
    assert log[0] == "session opens"
    assert log[-1] == "session closes"


async def test_it_is_closed_when_its_attempt_is_given_back(marker, log):
    """By a drain whose time is up; the job runs again, with one of its own."""
    never = asyncio.Event()

    async def wait(order, session):
        if len(log) == 1:
            await never.wait()
        return session

    app = shop(log.session(), marker, "queued", handler=wait)
    async with TestApp(app) as test:
        job = await test.enqueue(app.place_order, Order(order_id="A-1"))
        draining = asyncio.ensure_future(test.drain())
        while "session opens" not in log:
            await asyncio.sleep(0)
        await finish_or_give_back(test.runtime, test._leases, 0)
        await draining
        await test.drain()
        assert await job.result() == "session"
        assert [a.outcome for a in (await job.record()).attempts] == ["interrupted", "succeeded"]
    given_back = ["session opens", "session sees CancelledError", "session closes"]
    assert log == [*given_back, "session opens", "session commits", "session closes"]


async def test_it_is_closed_in_a_promoted_call_once(marker, log):
    """The same run goes on: made once, closed once."""
    go = asyncio.Event()

    async def wait(order, session):
        await go.wait()
        return session

    app = shop(log.session(), marker, "auto", handler=wait)
    async with TestApp(app) as test:
        sent = asyncio.ensure_future(
            test.request("POST", "/orders", json={"order_id": "A-1"}, headers={"prefer": "wait=1"})
        )
        while "session opens" not in log:
            await asyncio.sleep(0)
        await test.advance(1)
        accepted = await sent
        assert accepted.status == 202
        go.set()
        path = f"/jobs/{accepted.json()['id']}"
        done = await test.request("GET", path, headers={"prefer": "wait=9"})
        assert done.json()["result"] == "session"
    assert log == ["session opens", "session commits", "session closes"]


async def test_a_plain_handler_past_its_time_keeps_it_open_until_it_returns(marker, log):
    """It still uses the session; then that is closed, and the place in the limit is free."""
    app = App("shop")
    entered, go = threading.Event(), threading.Event()
    get = log.session()

    @app.post("/orders", timeout_seconds=5)
    def place_order(order: Order, session: Annotated[str, marker(get)]) -> None:
        entered.set()
        go.wait(10)
        log.append("returns")

    async with TestApp(app) as test:
        answer = asyncio.ensure_future(run(test, "direct"))
        while not entered.is_set():
            await asyncio.sleep(0)
        await test.advance(5)
        assert (await answer).status == 504
        assert log == ["session opens"]
        go.set()
        while "session closes" not in log:
            await asyncio.sleep(0)
    assert log == ["session opens", "returns", "session sees CancelledError", "session closes"]


async def test_a_plain_generator_that_opens_past_the_time_is_closed(marker):
    """Its thread is not stopped; what it opens late is left at once."""
    log = Log()
    entered, go = threading.Event(), threading.Event()

    def get():
        entered.set()
        go.wait(10)
        log.append("opens")
        try:
            yield
        finally:
            log.append("closes")

    async with TestApp(shop(get, marker, timeout_seconds=5)) as test:
        answer = asyncio.ensure_future(run(test, "direct"))
        while not entered.is_set():
            await asyncio.sleep(0)
        await test.advance(5)
        assert (await answer).status == 504
        go.set()
        while "closes" not in log:
            await asyncio.sleep(0)
    assert log == ["opens", "closes"]


async def test_one_value_for_each_dependency_unless_it_is_not_to_be_kept(marker):
    """Through sub-dependencies, too, and for as many places as there are."""
    made = Counter()

    def get(name, counter=made):
        def dependency() -> str:
            counter[name] += 1
            return f"{name} {counter[name]}"

        return dependency

    kept, fresh = get("kept"), get("fresh")

    async def both(a: Annotated[str, marker(kept)], b: Annotated[str, marker(fresh)]) -> list:
        return [a, b]

    app = App("shop")

    @app.post("/orders", delivery="auto")
    async def place_order(
        a: Annotated[str, marker(kept)],
        pair: Annotated[list, marker(both)],
        again: Annotated[list, marker(both)],
        b: Annotated[str, marker(fresh, use_cache=False)],
        c: Annotated[str, marker(fresh, use_cache=False)],
    ) -> list:
        return [a, *pair, *again, b, c]

    async with TestApp(app) as test:
        assert await test.call(place_order) == [
            "kept 1", "kept 1", "fresh 1", "kept 1", "fresh 1", "fresh 2", "fresh 3",
        ]  # fmt: skip
        assert (await test.call(place_order))[0] == "kept 2"


async def test_everything_that_can_be_called_is_a_dependency(marker):
    """Classes, instances, partials, lambdas; as a default, and by the class that is annotated."""

    class Page:
        def __init__(self, page: int = 1, size: int = 10):
            self.first = (page - 1) * size

    class Checker:
        def __init__(self, allowed):
            self.allowed = allowed

        async def __call__(self, ctx: Context) -> bool:
            return ctx.headers.get("x-key") in self.allowed

    def prefixed(prefix: str, name: str) -> str:
        return prefix + name

    app = App("shop")

    @app.get("/orders/{name}")
    async def read_orders(
        page: Annotated[Page, marker()],
        allowed: Annotated[bool, marker(Checker({"k"}))],
        same: Page = marker(Page),  # noqa: B008
        text: str = marker(partial(prefixed, "the ")),
        number: int = marker(lambda: 7),
    ) -> list:
        return [page.first, same is page, allowed, text, number]

    async with TestApp(app) as test:
        answer = await test.request("GET", "/orders/name?page=3&size=5", headers={"x-key": "k"})
        assert answer.json() == [10, True, True, "the name", 7]
        wrong = await test.request("GET", "/orders/name?page=x")
        assert (wrong.status, wrong.json()["errors"][0]["pointer"]) == (422, "/page")


@pytest.mark.parametrize("delivery", ["direct", "queued"])
async def test_a_dependency_takes_parameters_body_and_headers_as_handlers_do(marker, delivery):
    """They travel with the job."""

    def total(order: Order, rate: float = 1.0) -> float:
        return order.amount * rate

    async def who(ctx: Context) -> str:
        return ctx.headers["x-user"]

    def place(shop: str) -> str:
        return shop

    app = App("shop")

    @app.post("/shops/{shop}/orders", delivery=delivery)
    async def place_order(
        order: Order,
        amount: Annotated[float, marker(total)],
        user: Annotated[str, marker(who)],
        where: Annotated[str, marker(place)],
    ) -> list:
        return [amount, user, where]

    async with TestApp(app) as test:
        answer = await test.request(
            "POST",
            "/shops/a/orders?rate=3",
            json={"order_id": "A-1", "amount": 2},
            headers={"x-user": "ann"},
        )
        if delivery == "queued":
            await test.drain()
            answer = await test.request("GET", f"/jobs/{answer.json()['id']}/result")
        assert answer.json() == [6.0, "ann", "a"]


VARIABLE: ContextVar[str] = ContextVar("VARIABLE", default="unset")


async def test_context_variables_go_on_to_whatever_runs_later(marker):
    """From threads to the event loop and back; a plain generator may reset its own."""

    def plain():
        token = VARIABLE.set("plain")
        yield VARIABLE.get()
        VARIABLE.reset(token)

    async def awaited(before: Annotated[str, marker(plain)]) -> str:
        seen = VARIABLE.get()
        VARIABLE.set("awaited")
        return seen

    app = App("shop")

    @app.post("/orders")
    def place_order(seen: Annotated[str, marker(awaited)]) -> list[str]:
        return [seen, VARIABLE.get(), threading.current_thread().name.split("_")[0]]

    async with TestApp(app) as test:
        assert await test.call(place_order) == ["plain", "awaited", "handler"]


@pytest.mark.parametrize("delivery", ["direct", "queued"])
async def test_a_batch_has_one_for_all_its_items(marker, log, delivery):
    """Open around the one call of its handler."""
    app = App("shop")
    get = log.session()

    @app.post("/orders", delivery=delivery, batch_max=10)
    async def place_orders(
        orders: list[Order], ctx: Context, session: Annotated[str, marker(get)]
    ) -> list[str]:
        log.append("runs")
        return [f"{order.order_id} in {session}" for order in orders]

    async with TestApp(app) as test:
        if delivery == "direct":
            assert await test.call(place_orders, Order(order_id="0")) == "0 in session"
        else:
            jobs = [await test.enqueue(place_orders, Order(order_id=str(n))) for n in range(3)]
            await test.drain()
            assert [await job.result() for job in jobs] == [f"{n} in session" for n in range(3)]
    assert log == WELL


async def test_a_batch_whose_results_do_not_fit_rolls_it_back(marker, log):
    """As any failure of the handler does."""
    app = App("shop")
    get = log.session()

    @app.operation(batch_max=10, retry=Retry(attempts=1))
    async def place_orders(orders: list[Order], session: Annotated[str, marker(get)]) -> list[str]:
        return []

    async with TestApp(app) as test:
        with pytest.raises(JobFailedError):
            await test.call(place_orders, Order(order_id="0"))
    assert log == ["session opens", "session sees _MisfitError", "session closes"]


async def test_overrides_stand_in_for_dependencies(marker, log):
    """For sub-dependencies too; generators are closed."""
    get = log.session()

    async def outer(session: Annotated[str, marker(get)]) -> str:
        return f"outer of {session}"

    fake = log.session("fake")
    async with TestApp(shop(outer, marker), overrides={get: fake}) as test:
        assert (await run(test, "direct")).json() == "outer of fake"
    assert log == ["fake opens", "fake commits", "fake closes"]

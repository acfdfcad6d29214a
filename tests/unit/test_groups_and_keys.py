"""Groups keep their order, keys have limits of their own, and what cannot be computed is said."""

import asyncio
import threading

import pytest
from pydantic import BaseModel

from eitherway import App, ConfigurationError, Context, InvalidInputError, Limit, Retry
from eitherway.settings import Settings
from eitherway.testing import TestApp


class Order(BaseModel):
    account: str | None = None
    number: int = 0
    fails: int = 0


app = App("bank")
ran: list[tuple[str | None, int]] = []
two_each = Limit("two-each", in_flight=2, key=lambda order: order.account)
slowly_each = Limit("slowly-each", per_second=1, key=lambda order: order.account)


@app.post(
    "/post",
    delivery="queued",
    group=lambda order: order.account,
    retry=Retry(attempts=3, base_seconds=10, jitter="none"),
)
async def post(order: Order, ctx: Context) -> None:
    ran.append((order.account, order.number))
    if ctx.attempt <= order.fails:
        raise RuntimeError("not yet")


@app.post("/spread", delivery="queued", limit=slowly_each)
async def spread(order: Order) -> None:
    ran.append((order.account, order.number))


def divide(order: Order) -> float:
    return 1 / order.number


@app.post("/fragile", delivery="queued", limit=Limit("fragile", in_flight=1, key=divide))
async def fragile(order: Order) -> None: ...


@app.post("/fragile/direct", limit=Limit("fragile-direct", in_flight=1, key=divide))
async def fragile_now(order: Order) -> None: ...


@app.post("/odd", delivery="queued", group=lambda order: object())
async def odd(order: Order) -> None: ...


@app.post("/long", delivery="queued", group=lambda order: "x" * 600)
async def long(order: Order) -> None: ...


@app.post("/parts/{region}", delivery="queued", group=lambda region, order: [region, order.account])
async def parts(region: str, order: Order) -> None:
    ran.append((region, order.number))


@pytest.fixture
async def bank():
    ran.clear()
    async with TestApp(app, seed=1, settings=Settings(admin_token="op")) as opened:
        yield opened


async def test_a_group_runs_in_the_order_of_its_accepts(bank):
    """One at a time, a failing one holds the others until it has ended."""
    for number in range(3):
        await bank.enqueue(post, Order(account="a", number=number, fails=1 if number == 0 else 0))
    await bank.enqueue(post, Order(account="b", number=9))
    await bank.drain()
    assert ran == [("a", 0), ("b", 9)]
    await bank.advance(11)
    await bank.drain()
    assert ran[2:] == [("a", 0), ("a", 1), ("a", 2)]


async def test_a_dead_letter_lets_its_group_go_on_and_comes_back_into_it(bank):
    """Dead, the next one runs; redriven, it waits for its turn like any other."""
    dead = await bank.enqueue(post, Order(account="a", number=0, fails=3))
    await bank.enqueue(post, Order(account="a", number=1))
    for _ in range(3):
        await bank.drain()
        await bank.advance(25)
    assert (await dead.record()).state == "failed"
    assert ran[-1] == ("a", 1)
    response = await bank.request(
        "POST",
        "/admin/dead/redrive",
        json={"ids": [dead.id]},
        headers={"authorization": "Bearer op"},
    )
    assert response.status == 200, response.body
    await bank.drain()
    assert ran[-1] == ("a", 0)


async def test_no_group_is_no_order(bank):
    """`None` is in no group: such jobs wait for nobody."""
    await bank.enqueue(post, Order(number=1, fails=1))
    await bank.enqueue(post, Order(number=2))
    await bank.drain()
    assert sorted(ran) == [(None, 1), (None, 2)]


async def test_a_group_may_be_of_several_arguments(bank):
    """The function's parameters are named like the handler's."""
    for number in range(2):
        await bank.enqueue(parts, region="north", order=Order(account="a", number=number))
    await bank.drain()
    assert ran == [("north", 0), ("north", 1)]


async def test_a_rate_of_each_key_holds_up_no_other(bank):
    """One start a second for each account, in whatever order they came."""
    for number in range(3):
        await bank.enqueue(spread, Order(account="a", number=number))
    await bank.enqueue(spread, Order(account="b"))
    await bank.drain()
    assert sorted(ran) == [("a", 0), ("b", 0)]
    for _ in range(2):
        await bank.advance(1.1)
        await bank.drain()
    assert sorted(ran) == [("a", 0), ("a", 1), ("a", 2), ("b", 0)]


@pytest.mark.parametrize("path", ["/fragile", "/fragile/direct"])
async def test_a_key_function_that_raises_refuses_the_request(bank, path):
    """422 through both doors, nothing stored, no inside shown."""
    response = await bank.request("POST", path, json={"number": 0})
    assert response.status == 422
    assert response.json()["type"] == "/problems/invalid-input"
    assert "the key of limit 'fragile" in response.json()["detail"]
    assert "ZeroDivisionError" in response.json()["detail"]
    assert "division by zero" not in response.body.decode()
    assert await bank.drain() == 0
    assert (await bank.request("POST", path, json={"number": 1})).status in (200, 202)


@pytest.mark.parametrize(("handler", "what"), [(odd, "gives a object"), (long, "of 512 allowed")])
async def test_a_key_is_a_text_or_a_number(bank, handler, what):
    """Neither an object nor a page of text; also from Python."""
    with pytest.raises(InvalidInputError, match=what):
        await bank.enqueue(handler, Order())


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"group": "account"}, "group= is a function"),
        ({"group": lambda order, extra: 1}, "takes order, extra, the handler order"),
        ({"limit": Limit("n", in_flight=1, key=lambda: 1)}, "takes nothing"),
    ],
)
def test_a_function_that_cannot_be_called_is_refused_when_declared(settings, what):
    """Its parameters are those of the handler, or one that gets the body."""

    async def handler(order: Order) -> None: ...

    with pytest.raises(ConfigurationError, match=what):
        App("refusing").post("/x", delivery="queued", **settings)(handler)


async def test_operations_that_share_a_limit_take_turns():
    """Whoever has the longer backlog does not hold up the other."""
    fair, order = App("fair"), []
    one = Limit("one", in_flight=1)

    @fair.operation(limit=one)
    async def first() -> None:
        order.append("first")

    @fair.operation(limit=one)
    async def second() -> None:
        order.append("second")

    async with TestApp(fair) as opened:
        for handler in [first] * 10 + [second] * 5:
            await opened.enqueue(handler)
        await opened.drain()
    assert order[:10].count("second") == 5


async def test_keys_take_turns(bank):
    """A key with many jobs, accepted first, leaves every other place to the next key."""
    fair = App("fair")
    each = Limit("each", in_flight=1, key=lambda order: order.account)

    @fair.operation(limit=[Limit("all", in_flight=1), each])
    async def work(order: Order) -> None:
        ran.append((order.account, order.number))
        await opened.advance(0.01)

    async with TestApp(fair) as opened:
        for account in ("a", "b"):
            for number in range(5):
                await opened.enqueue(work, Order(account=account, number=number))
        await opened.drain()
    assert [account for account, _ in ran[:6]].count("b") == 3
    assert [number for account, number in ran if account == "a"] == list(range(5))


async def test_a_plain_handler_that_outlives_its_attempt_keeps_its_place(bank):
    """Until its thread has returned: nothing else starts in its place."""
    slow, go = App("slow"), threading.Event()
    one = Limit("one", in_flight=1)

    @slow.post("/slow", delivery="queued", limit=one, timeout_seconds=1, retry=Retry(attempts=1))
    def wait() -> None:
        go.wait()

    async with TestApp(slow) as opened:
        job = await opened.enqueue(wait)
        second = await opened.enqueue(wait)
        draining = asyncio.ensure_future(opened.drain())
        await opened.clock.armed()
        await opened.advance(1)
        await draining
        assert (await job.record()).state == "failed"
        assert (await second.record()).state == "queued"
        (use,) = await opened.runtime.engine.limits(["one"])
        assert (use.running, use.held) == (0, 1)
        go.set()
        while (await second.record()).state == "queued":
            await opened.advance(1)
            await opened.drain()


async def test_both_doors_count_a_key_in_one_limit(bank):
    """A queued job and a direct call of the same account share its places."""
    shared = App("shared")

    @shared.post("/later", name="later", delivery="queued", limit=two_each)
    @shared.post("/now", name="now", limit=two_each)
    async def work(order: Order) -> int:
        (use,) = await shared.runtime.engine.limits(["two-each"])
        return use.running + use.held

    async with TestApp(shared) as opened:
        now = await opened.request("POST", "/now", json={"account": "a"})
        accepted = await opened.request("POST", "/later", json={"account": "a"})
        await opened.drain()
        later = await opened.request("GET", f"/jobs/{accepted.json()['id']}/result")
    assert (now.json(), later.json()) == (1, 1)

"""What a new user gets wrong in the first hour: each is one line that names the fix."""

import asyncio
import sys

import pytest

from eitherway import App, ConfigurationError, InvalidInputError, Limit, Retry, Router
from eitherway.engine.loader import load_engine
from eitherway.importing import import_module
from eitherway.testing import TestApp


def handler(number: int) -> int:
    return number


def generator(number: int):
    yield number


async def async_generator(number: int):
    yield number


def refused(declare) -> str:
    with pytest.raises(ConfigurationError) as caught:
        declare()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("policies", "says"),
    [
        ({"timeout_seconds": "5"}, "handler: timeout_seconds is '5', and should be a valid number"),
        ({"timeout_seconds": None}, "handler: timeout_seconds is None, and should be a valid"),
        ({"lease_seconds": True}, "handler: lease_seconds is True"),
        ({"deadline_seconds": "1d"}, "handler: deadline_seconds is '1d'"),
        ({"wait_seconds": "5"}, "handler: wait_seconds is '5'"),
        ({"status": "200"}, "handler: status is '200', and should be a valid integer"),
        ({"version": 2.5}, "handler: version is 2.5"),
        ({"name": 5}, "name is 5, and should be a valid string"),
        ({"retry": 5}, "handler: retry is 5, and should be an instance of Retry"),
        ({"limit": 5}, "handler: limits[0] is 5, and should be an instance of Limit"),
        ({"limit": "orders-db"}, "handler: limits[0] is 'orders-db'"),
        ({"limit": [Limit(in_flight=1), 5]}, "handler: limits[1] is 5"),
        ({"deliver": "queued"}, "no setting 'deliver' for an operation: give accept, backlog_max,"),
    ],
)
def test_a_policy_of_the_wrong_type_is_named(policies, says):
    """Where it is declared, with what it is and what it should be."""
    assert says in refused(lambda: App("shop").post("/orders", **policies)(handler))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Retry(attempts="5"), "Retry: attempts is '5', and should be a valid integer"),
        (lambda: Retry(never=ValueError), "Retry: never is <class 'ValueError'>"),
        (lambda: Limit(5), "Limit(5): name is 5, and should be a valid string"),
        (lambda: Limit("db", in_flight=8.5), "Limit('db'): in_flight is 8.5"),
        (lambda: App(5), "App(5): a name of letters"),
        (lambda: App("shop", middleware=[5]), "give a list of functions of (ctx, proceed)"),
        (lambda: App("shop", middleware=print), "give a list of functions of (ctx, proceed)"),
        (lambda: App("shop").include(5), "include takes a Router, not 5"),
        (lambda: App("shop").post(handler), '@app.post takes a path: write @app.post("/orders")'),
        (lambda: Router().post("orders")(handler), "must start with /"),
        (lambda: Router().post("/orders/{")(handler), "has a brace too many"),
        (lambda: Router().post("/orders")(dict), "dict: a handler is a function, not a class"),
        (lambda: Router().post("/orders")(generator), "does not yield"),
        (lambda: Router().post("/orders")(async_generator), "does not yield"),
        (
            lambda: App("shop").table("orders", dict, key="id", writecapacity=5),
            "no setting 'writecapacity' for a table: give partition, write_burst_seconds,",
        ),
        (
            lambda: App("shop").table("orders", dict, key="id", write_capacity="50"),
            "per_second is '50', and should be a valid number",
        ),
        (lambda: load_engine("shop.db", clock=None, randomness=None), "sqlite:///shop.db"),
    ],
)
def test_a_wrong_value_is_named(make, says):
    """Wherever it is given."""
    assert says in refused(make)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("app = App('x'\n", "line 1: SyntaxError: '(' was never closed"),
        ("app = App()\n", "line 2: NameError: name 'App' is not defined"),
        ("def f():\n    return 1 / 0\n\nf()\n", "line 2: ZeroDivisionError: division by zero"),
        ("import celeryy\n", "needs the module 'celeryy': install it"),
    ],
)
def test_a_module_that_cannot_be_imported_says_where(tmp_path, monkeypatch, request, source, says):
    """The last line of the user's own files, and how to see more."""
    name = f"module_{abs(hash(source))}"
    lines = source if source.startswith(("app = App('", "import", "def")) else f"\n{source}"
    (tmp_path / f"{name}.py").write_text(lines)
    monkeypatch.syspath_prepend(tmp_path)
    request.addfinalizer(lambda: sys.modules.pop(name, None))
    assert says in refused(lambda: import_module(name, str(tmp_path)))


async def test_an_operation_that_is_declared_too_late_is_refused():
    """It would be served by nobody: the app is open."""
    app = App("shop")
    async with TestApp(app):
        assert "is open: declare" in refused(lambda: app.post("/orders")(handler))
        assert "is open: declare" in refused(lambda: app.include(Router()))


async def test_an_unknown_convertor_is_named():
    """When the app is opened."""
    app = App("shop")

    @app.get("/orders/{number:nope}")
    def read(number: int) -> int:
        return number

    with pytest.raises(ConfigurationError, match="Unknown path convertor 'nope'"):
        async with TestApp(app):
            pass


async def test_enqueueing_a_call_says_how_to_enqueue():
    """`enqueue(f(x))` in place of `enqueue(f, x)`; and arguments that do not fit are named."""
    app = App("shop")

    @app.operation()
    async def send_mail(number: int) -> int:
        return number

    async with TestApp(app) as shop:
        with pytest.raises(ConfigurationError, match=r"enqueue\(send_mail, ...\), not"):
            await shop.enqueue(send_mail(1))
        with pytest.raises(InvalidInputError, match="send_mail: number: Input should be a valid"):
            await shop.enqueue(send_mail, "many")


async def test_a_forgotten_await_is_a_failure_not_a_lost_write(caplog):
    """A table's call, or an enqueue, that nobody awaits fails the attempt and names the fix."""
    app = App("shop")
    orders = app.table("orders", dict, key="id")

    @app.post("/put")
    async def put(order: dict) -> None:
        orders.put(order)

    @app.post("/plain")
    def plain(order: dict) -> None:
        orders.put(order)

    @app.post("/enqueue")
    async def enqueue(order: dict) -> None:
        app.enqueue(plain, order)

    async with TestApp(app) as shop:
        for path, says in (
            ("/put", "orders.put(...) was not awaited, so it did nothing: await it"),
            ("/plain", "write orders.sync.put(...)"),
            ("/enqueue", "ctx.enqueue(...) needs none"),
        ):
            caplog.clear()
            answer = await shop.request("POST", path, json={"id": "1"})
            assert answer.status == 500
            assert says in caplog.text
        assert await orders.get("1", None) is None


async def test_a_call_that_became_a_task_is_none_that_was_forgotten():
    """Whoever makes a task of it has it begun."""
    app = App("shop")
    orders = app.table("orders", dict, key="id")

    @app.post("/gathered")
    async def gathered(order: dict) -> None:
        await asyncio.gather(orders.put(order), orders.put({"id": "2"}))

    @app.post("/thrown", delivery="direct")
    async def thrown(order: dict) -> None:
        tasks.append(asyncio.create_task(app.enqueue(later, 1)))

    @app.operation()
    async def later(number: int) -> int:
        return number

    tasks: list[asyncio.Task] = []
    async with TestApp(app) as shop:
        assert (await shop.request("POST", "/gathered", json={"id": "1"})).status == 200
        assert (await shop.request("POST", "/thrown", json={"id": "3"})).status == 200
        assert (await tasks[0]).id
        assert [item["id"] async for item in orders.query()] == ["1", "2"]

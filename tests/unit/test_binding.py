"""How parameters and results travel, and what declarations are refused."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

from eitherway import App, ConfigurationError, Context, InvalidInputError, Limit, Retry
from eitherway.codec import Binding
from eitherway.testing import TestApp


class Order(BaseModel):
    order_id: str = Field(alias="orderId")
    amount: float


def bind(handler, path=None, *, takes_body=True):
    return Binding(handler, path, takes_body=takes_body)


def test_sources_follow_from_names_and_types():
    """In the path by name, structured is the body, the rest is the query."""

    def handler(
        shop: str,
        order: Order,
        when: date | None = None,
        kind: Literal["a", "b"] = "a",
        size: Annotated[int, Field(gt=0)] = 1,
    ) -> None: ...

    binding = bind(handler, "/{shop}/orders")
    assert {p.name: p.source for p in binding.parameters} == {
        "shop": "path",
        "order": "body",
        "when": "query",
        "kind": "query",
        "size": "query",
    }
    arguments = binding.decode(
        b'{"orderId": "1", "amount": 2}', {"shop": "s", "when": "2026-01-02", "size": "3"}
    )
    assert arguments["when"] == date(2026, 1, 2)
    assert arguments["size"] == 3
    assert arguments["order"].order_id == "1"


def test_every_wrong_parameter_is_named_at_once():
    """Pointers into the body, and the names of the others."""

    def handler(order: Order, size: int, shop: str) -> None: ...

    with pytest.raises(InvalidInputError) as caught:
        bind(handler).decode(b'{"amount": "much"}', {"size": "big"})
    assert {error["pointer"] for error in caught.value.errors} == {
        "/orderId",
        "/amount",
        "/size",
        "/shop",
    }


def test_an_optional_body_may_be_missing():
    """The handler's default is used."""

    def handler(order: Order | None = None) -> None: ...

    assert bind(handler).decode(b"", {}) == {}


def test_what_python_passes_comes_back_as_it_was():
    """Through aliases, positions and names; the context is left out."""

    def handler(ctx: Context, order: Order, note: str = "") -> None: ...

    binding = bind(handler)
    order = Order(orderId="1", amount=2)
    payload, params = binding.encode_arguments(order, note="n")
    assert binding.decode(payload, params) == {"order": order, "note": "n"}
    with pytest.raises(InvalidInputError):
        binding.encode_arguments()
    with pytest.raises(InvalidInputError):
        binding.encode_arguments({"amount": "much"})


def test_results_are_validated_against_their_type():
    """A dict may stand for a model; something else may not."""

    def handler() -> Order: ...

    binding = bind(handler)
    assert binding.encode_result({"orderId": "1", "amount": 2}) == b'{"orderId":"1","amount":2.0}'
    with pytest.raises(TypeError, match="result does not fit"):
        binding.encode_result({"amount": 2})


def test_a_stored_message_is_read_to_the_same_values():
    """Also where a whole number was written with a fraction, and where Pydantic would convert."""

    class Mixed(BaseModel):
        count: int
        price: Decimal
        weight: float
        either: int | str

    def handler(mixed: Mixed) -> None: ...

    binding = Binding(handler, "/x", takes_body=True)
    payload = b'{"count": 17.0, "price": 17.0, "weight": -0.0, "either": "5"}'
    at_the_door = binding.decode(payload, {})
    assert repr(at_the_door) == repr(binding.decode_message(payload, b""))
    assert repr(at_the_door["mixed"].weight) == "-0.0"
    older = payload.replace(b"17.0", b'"17"', 1)
    assert binding.decode_message(older, b"")["mixed"].count == 17


def test_17_point_0_is_an_integer():
    """JSON Schema says so."""

    def handler(size: list[int]) -> None: ...

    assert bind(handler).decode(b"[17.0]", {}) == {"size": [17]}


def unannotated(order): ...


def two_bodies(a: Order, b: Order): ...


def starred(*orders: Order): ...


def unknown(order: "Nowhere"): ...  # noqa: F821 - that is the point


def impossible(thing: Exception): ...


async def fine(order: Order) -> None: ...


async def no_parameters() -> None: ...


@pytest.mark.parametrize(
    ("method", "handler", "policies", "says"),
    [
        ("post", unannotated, {}, "annotate the parameter 'order'"),
        ("post", two_bodies, {}, "put them into one model"),
        ("post", starred, {}, "cannot take"),
        ("post", unknown, {}, "'Nowhere' is not defined"),
        ("post", impossible, {}, "cannot handle the type"),
        ("get", fine, {}, "carry no body"),
        ("get", no_parameters, {"delivery": "queued"}, "cannot be queued"),
        ("post", fine, {"delivery": "later"}, "not 'later'"),
        ("post", fine, {"status": 404}, "200 to 299"),
        ("post", fine, {"timeout_seconds": 0}, "above 0"),
        ("post", fine, {"attempts": 3}, "no setting 'attempts'"),
        ("post", fine, {"version": 0}, "count from 1"),
    ],
)
def test_wrong_declarations_are_refused_with_the_fix(method, handler, policies, says):
    """When they are declared, in one line."""
    app = App("x")
    with pytest.raises(ConfigurationError, match=says):
        getattr(app, method)("/x", **policies)(handler)


def test_names_and_routes_are_taken_once():
    """The second one is told how to go on."""
    app = App("x")
    app.post("/x")(fine)
    with pytest.raises(ConfigurationError, match="give one of them name="):
        app.post("/y")(fine)
    with pytest.raises(ConfigurationError, match="served by 'fine' already"):
        app.post("/x", name="other")(fine)
    with pytest.raises(ConfigurationError, match="the path names 'id'"):
        app.post("/{id}", name="third")(fine)
    with pytest.raises(ConfigurationError, match="letters"):
        App("a b")


async def test_the_gateways_own_paths_are_not_to_be_had():
    """Refused when the app opens, with two ways out."""
    app = App("x")
    app.get("/jobs/{id}/extra")(read_extra)
    with pytest.raises(ConfigurationError, match="EITHERWAY_PREFIX"):
        async with TestApp(app):
            pass


async def read_extra(id: str) -> str:  # noqa: A002 - the path's name
    return id


def test_a_decorated_handler_stays_callable_and_routers_are_included():
    """`include` keeps every policy and puts its prefix before the path."""
    from eitherway import Router

    router = Router()
    declared = router.post("/x", retry=Retry(attempts=2), limit=Limit("db", in_flight=1))(fine)
    assert declared is fine
    app = App("x")
    app.include(router, "/shop")
    operation = app.operations.of(fine)
    assert (operation.path, operation.retry.attempts, operation.limits[0].name) == (
        "/shop/x",
        2,
        "db",
    )

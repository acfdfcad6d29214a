"""What of dependencies is refused, where it is declared, and what it says to do instead."""

from typing import Annotated

import pytest
from fastapi import (
    BackgroundTasks,
    Body,
    Cookie,
    FastAPI,
    File,
    Form,
    Header,
    Path,
    Query,
    Request,
    Response,
    Security,
    UploadFile,
    WebSocket,
)
from fastapi import Depends as FastApiDepends
from fastapi.security import OAuth2PasswordBearer, SecurityScopes
from pydantic import BaseModel
from starlette.requests import HTTPConnection

from eitherway import App, ConfigurationError, Context, Depends, InvalidInputError
from eitherway.testing import TestApp


class Order(BaseModel):
    order_id: str


def declare(get, delivery="queued"):
    async def place_order(order: Order, value: Annotated[object, Depends(get)]) -> None: ...

    App("shop").post("/orders", delivery=delivery)(place_order)


REQUEST_LIKE = [
    (Request, "Request", "ctx.headers"),
    (HTTPConnection, "HTTPConnection", "ctx.principal"),
    (WebSocket, "WebSocket", "ctx.headers"),
    (Response, "Response", "status="),
    (BackgroundTasks, "BackgroundTasks", "ctx.enqueue()"),
    (SecurityScopes, "SecurityScopes", "ctx.principal"),
    (UploadFile, "UploadFile", "send where it is"),
    (Request | None, "Request", "ctx.headers"),
    (Annotated[str, Header()], "Header()", "ctx.headers"),
    (Annotated[str, Cookie()], "Cookie()", "a header"),
    (Annotated[str, Form()], "Form()", "JSON"),
    (Annotated[bytes, File()], "File()", "send where it is"),
    (Annotated[dict, Body()], "Body()", "leave Body() out"),
    (Annotated[int, Query(alias="n")], "Query(alias=...)", "as it is sent"),
]


@pytest.mark.parametrize(("annotation", "shown", "instead"), REQUEST_LIKE)
@pytest.mark.parametrize("delivery", ["direct", "queued", "auto"])
def test_what_only_a_request_could_fill_is_refused_by_name(annotation, shown, instead, delivery):
    """In a sub-dependency of a dependency: operation, dependency, parameter, and what to do."""

    def get_user(thing: annotation) -> str: ...

    def outer(user: Annotated[str, Depends(get_user)]) -> str: ...

    with pytest.raises(ConfigurationError) as caught:
        declare(outer, delivery)
    message = str(caught.value)
    assert "place_order: the dependency " in message
    assert f"get_user takes 'thing' as {shown}" in message
    assert instead in message
    assert "\n" not in message


@pytest.mark.parametrize(("annotation", "shown", "instead"), REQUEST_LIKE)
def test_a_handler_cannot_take_it_either(annotation, shown, instead):
    """The same words."""

    async def place_order(thing: annotation) -> None: ...

    with pytest.raises(ConfigurationError) as caught:
        App("shop").post("/orders")(place_order)
    assert f"place_order takes 'thing' as {shown}" in str(caught.value)
    assert instead in str(caught.value)


def test_what_fastapi_writes_as_a_default_is_refused_by_name():
    """Which would otherwise be taken for a value."""

    def by_header(key: str = Header()) -> str: ...

    def by_query(page: int = Query(1)) -> int: ...

    for get, shown in ((by_header, "Header()"), (by_query, "annotate it: Annotated[..., Query()]")):
        with pytest.raises(ConfigurationError) as caught:
            declare(get)
        assert shown in str(caught.value)


def test_fastapis_security_needs_a_request_and_says_so():
    """By the parameter of the class that asks for it."""
    with pytest.raises(
        ConfigurationError, match="OAuth2PasswordBearer takes 'request' as HTTPConn"
    ):
        declare(OAuth2PasswordBearer(tokenUrl="token"))


def test_a_concurrency_of_its_own_is_a_limits_to_hold():
    """FastAPI's holds within one process alone."""

    async def place_order(
        one: Annotated[int, FastApiDepends(lambda: 1, max_concurrency=3)],
    ) -> None: ...

    with pytest.raises(ConfigurationError, match="limit=Limit"):
        App("shop").post("/orders")(place_order)


def unannotated(thing): ...


def many(*things: int): ...


def two_bodies(other: dict) -> None: ...


def other_type(order: dict) -> None: ...


@pytest.mark.parametrize(
    ("get", "says"),
    [
        (unannotated, "place_order: the dependency unannotated: annotate the parameter 'thing'"),
        (many, "cannot take"),
        (two_bodies, "one body"),
        (other_type, "'order' is of different types"),
        (dict, "wrap it"),
        ("text", "cannot be called"),
    ],
)
def test_what_cannot_be_bound_is_refused(get, says):
    """One line that says why."""
    with pytest.raises(ConfigurationError) as caught:
        declare(get)
    assert says in str(caught.value)


def test_a_batchs_dependency_knows_no_item():
    """It is made once for all of them."""

    def page(number: int = 1) -> int: ...

    async def store(orders: list[Order], page: Annotated[int, Depends(page)]) -> list[None]: ...

    with pytest.raises(ConfigurationError, match="once for a whole batch"):
        App("shop").post("/orders", batch_max=5)(store)


async def test_fastapis_query_and_path_keep_their_rules():
    """They are Pydantic's, and need no request."""

    def page(number: Annotated[int, Query(ge=1)] = 1) -> int:
        return number

    app = App("shop")

    @app.get("/shops/{shop}")
    async def read(
        shop: Annotated[str, Path(max_length=3)],
        number: Annotated[int, Security(page)],
    ) -> list[object]:
        return [shop, number]

    async with TestApp(app) as test:
        assert (await test.request("GET", "/shops/abc?number=2")).json() == ["abc", 2]
        assert (await test.request("GET", "/shops/abcd?number=2")).status == 422
        assert (await test.request("GET", "/shops/abc?number=0")).status == 422


async def test_the_binding_knows_the_parameters_of_dependencies():
    """One place for documents, keys, messages: and `enqueue` takes them by name."""

    def page(number: int, size: int = 10) -> int:
        return number * size

    app = App("shop")

    @app.operation()
    async def read(order: Order, first: int = Depends(page)) -> int:
        return first

    (operation,) = app.operations
    found = {p.name: (p.source, p.required) for p in operation.binding.parameters}
    assert found == {
        "order": ("body", True),
        "number": ("query", True),
        "size": ("query", False),
    }
    async with TestApp(app) as test:
        job = await test.app.runtime.enqueue(read, (Order(order_id="a"),), {"number": 3})
        await test.drain()
        assert await job.result() == 30
        with pytest.raises(InvalidInputError, match="number"):
            await test.enqueue(read, Order(order_id="a"))


async def test_a_required_parameter_is_required_whoever_declares_it():
    """And each keeps its own default."""

    def own(size: int = 5) -> int:
        return size

    def strict(size: int) -> int:
        return size

    app = App("shop")

    @app.get("/a")
    async def read(first: Annotated[int, Depends(own)], size: int = 7) -> list[int]:
        return [first, size]

    @app.get("/b")
    async def read_again(first: Annotated[int, Depends(own)], size: int) -> list[int]:
        return [first, size]

    @app.get("/c")
    async def read_strictly(first: Annotated[int, Depends(strict)], size: int = 7) -> list[int]:
        return [first, size]

    async with TestApp(app) as test:
        assert (await test.request("GET", "/a")).json() == [5, 7]
        assert (await test.request("GET", "/a?size=1")).json() == [1, 1]
        assert (await test.request("GET", "/b")).status == 422
        assert (await test.request("GET", "/c")).status == 422


def test_an_override_of_nothing_is_refused():
    """A test that overrides what nobody uses would prove nothing."""

    def page() -> int: ...

    app = App("shop")

    @app.get("/a")
    async def read(first: Annotated[int, Depends(page)]) -> int: ...

    def with_more(other: int) -> int: ...

    with pytest.raises(ConfigurationError, match="no operation depends on"):
        TestApp(app, overrides={with_more: page})
    with pytest.raises(ConfigurationError, match="'other'"):
        TestApp(app, overrides={page: with_more})


async def test_a_dependency_of_both_worlds_serves_both():
    """One function, in FastAPI's routes and in operations."""

    async def current(ctx_free: int = 3) -> int:
        return ctx_free

    async def read(number: Annotated[int, FastApiDepends(current)]) -> int:
        return number

    api, app = FastAPI(), App("shop")
    api.get("/read")(read)
    app.get("/read")(read)
    async with TestApp(app) as test:
        assert (await test.request("GET", "/read?ctx_free=4")).json() == 4
    parameters = api.openapi()["paths"]["/read"]["get"]["parameters"]
    assert [one["name"] for one in parameters] == ["ctx_free"]


def test_a_context_is_found_wherever_it_stands():
    """In dependencies too; then the request's headers are kept."""

    def who(context: Context) -> str: ...

    app = App("shop")

    @app.get("/a")
    async def read(user: Annotated[str, Depends(who)]) -> str: ...

    (operation,) = app.operations
    assert operation.binding.takes_context

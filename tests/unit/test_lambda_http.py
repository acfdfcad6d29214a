"""The function behind API Gateway: the ordinary gateway, asked and answered in both formats."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from pydantic import BaseModel
from recorded import HTTP_HOST, REST_HOST, http_request, rest_request

from eitherway import App, Context
from eitherway.lambdas.api_events import answer_to, scope_of
from eitherway.lambdas.http import answer
from eitherway.testing import TestApp

Make = Callable[..., dict[str, Any]]


class Order(BaseModel):
    order_id: str
    amount: float


def make_app() -> App:
    app = App("shop")
    orders = app.table("orders", Order, key="order_id")

    @app.post("/orders", delivery="queued")
    async def place_order(order: Order) -> Order:
        await orders.put(order)
        return order

    @app.post("/orders/direct")
    async def place_order_now(order: Order, ctx: Context) -> dict[str, Any]:
        await orders.put(order)
        return {"order": order.order_id, "tags": ctx.headers.get("x-tag")}

    @app.get("/orders/{order_id}")
    async def read_order(order_id: str) -> Order:
        return await orders.get(order_id)

    @app.get("/echo/{text}")
    async def echo(text: str, more: str = "") -> list[str]:
        return [text, more]

    @app.get("/slow")
    async def slow() -> None:
        await asyncio.Event().wait()

    return app


@pytest.fixture
async def tested() -> AsyncIterator[TestApp]:
    async with TestApp(make_app()) as tested:
        yield tested


both = pytest.mark.parametrize("request_", [rest_request, http_request], ids=["1.0", "2.0"])


def headers_of(answered: dict[str, Any]) -> dict[str, str]:
    many = answered.get("multiValueHeaders")
    return answered["headers"] if many is None else {k: ", ".join(v) for k, v in many.items()}


@both
async def test_a_direct_call_is_answered_on_the_same_request(
    tested: TestApp, request_: Make
) -> None:
    order = {"order_id": "a-1", "amount": 2.5}
    event = request_("POST", "/orders/direct", body=order, headers={"X-Tag": "red"})
    answered = await answer(tested.app, event, 5)
    assert answered["statusCode"] == 200
    assert answered["isBase64Encoded"] is False
    assert json.loads(answered["body"]) == {"order": "a-1", "tags": "red"}
    assert headers_of(answered)["content-type"] == "application/json"
    read = await answer(tested.app, request_("GET", "/orders/a-1"), 5)
    assert json.loads(read["body"]) == order


@pytest.mark.parametrize(
    ("request_", "base"),
    [(rest_request, f"https://{REST_HOST}/live"), (http_request, f"https://{HTTP_HOST}")],
    ids=["1.0", "2.0"],
)
async def test_a_receipt_names_the_job_under_the_stage_that_was_asked(
    tested: TestApp, request_: Make, base: str
) -> None:
    body = {"order_id": "q-1", "amount": 1}
    answered = await answer(tested.app, request_("POST", "/orders", body=body), 5)
    assert answered["statusCode"] == 202
    job_id = json.loads(answered["body"])["id"]
    assert headers_of(answered)["location"] == f"{base}/jobs/{job_id}"
    assert headers_of(answered)["operation-location"] == f"{base}/jobs/{job_id}"
    await tested.drain()
    status = await answer(tested.app, request_("GET", f"/jobs/{job_id}"), 5)
    assert json.loads(status["body"])["status"] == "succeeded"


async def test_an_http_api_with_a_stage_is_mounted_at_it(tested: TestApp) -> None:
    event = http_request("POST", "/v2/orders", body={"order_id": "q-2", "amount": 1})
    event["requestContext"]["stage"] = "v2"
    answered = await answer(tested.app, event, 5)
    job_id = json.loads(answered["body"])["id"]
    assert answered["headers"]["location"] == f"https://{HTTP_HOST}/v2/jobs/{job_id}"


@both
async def test_what_is_wrong_is_a_problem_as_anywhere_else(tested: TestApp, request_: Make) -> None:
    invalid = await answer(tested.app, request_("POST", "/orders", body={"order_id": 1}), 5)
    assert invalid["statusCode"] == 422
    assert headers_of(invalid)["content-type"] == "application/problem+json"
    missing = await answer(tested.app, request_("GET", "/nowhere"), 5)
    assert missing["statusCode"] == 404
    wrong = await answer(tested.app, request_("PATCH", "/orders"), 5)
    assert wrong["statusCode"] == 405
    assert headers_of(wrong)["allow"] == "OPTIONS, POST"


@pytest.mark.parametrize(
    ("event", "more"),
    [
        (rest_request("GET", "/echo/x%20y%C3%A9%2520"), ["a&b=c", "d é"]),
        (http_request("GET", "/echo/x yé%20"), "more=a%26b%3Dc&more=d%20%C3%A9"),
        (http_request("GET", "/echo/x%20y%C3%A9%2520"), "more=a%26b%3Dc&more=d%20%C3%A9"),
    ],
    ids=["REST API", "HTTP API", "function URL"],
)
async def test_paths_and_queries_arrive_decoded_once(
    tested: TestApp, event: dict[str, Any], more: Any, request: pytest.FixtureRequest
) -> None:
    if isinstance(more, str):
        event["rawQueryString"] = more
    else:
        event["multiValueQueryStringParameters"] = {"more": more}
    if "function URL" in request.node.callspec.id:
        event["requestContext"]["domainName"] = "abc.lambda-url.us-west-2.on.aws"
    answered = await answer(tested.app, event, 5)
    assert json.loads(answered["body"]) == ["x yé%20", "d é"]


def test_the_stage_is_where_the_application_is_mounted() -> None:
    at_stage = scope_of(rest_request("GET", "/orders/a%2Fb"))
    assert (at_stage["root_path"], at_stage["path"]) == ("/live", "/live/orders/a/b")
    assert at_stage["raw_path"] == b"/live/orders/a%2Fb"
    decoded = rest_request("GET", "/orders/a%20b")
    decoded["requestContext"]["path"] = "/live/orders/a b"  # whichever of the two is decoded
    assert scope_of(decoded)["root_path"] == "/live"
    own_domain = rest_request("GET", "/live/orders")
    own_domain["requestContext"]["path"] = "/live/orders"  # a mapping without the stage
    assert scope_of(own_domain)["root_path"] == ""
    assert scope_of(own_domain)["path"] == "/live/orders"


@both
async def test_a_body_in_base64_is_decoded(tested: TestApp, request_: Make) -> None:
    text = json.dumps({"order_id": "b-1", "amount": 1}).encode()
    event = request_("POST", "/orders/direct", body={}, isBase64Encoded=True)
    event["body"] = b64encode(text).decode()
    assert (await answer(tested.app, event, 5))["statusCode"] == 200


def test_bytes_are_answered_in_base64_and_cookies_apart() -> None:
    headers = [(b"content-type", b"image/png"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
    first = answer_to(rest_request("GET", "/"), 200, headers, b"\x89PNG")
    assert first["multiValueHeaders"]["set-cookie"] == ["a=1", "b=2"]
    assert (first["isBase64Encoded"], b64decode(first["body"])) == (True, b"\x89PNG")
    second = answer_to(http_request("GET", "/"), 200, headers, b"\x89PNG")
    assert second["cookies"] == ["a=1", "b=2"]
    assert "set-cookie" not in second["headers"]
    packed = [(b"content-type", b"text/css"), (b"content-encoding", b"gzip")]
    assert answer_to(rest_request("GET", "/"), 200, packed, b"x")["isBase64Encoded"]


def test_headers_may_be_missing_repeated_or_of_any_case() -> None:
    event = rest_request("GET", "/", headers={"If-None-Match": '"1"'})
    event["multiValueHeaders"]["Prefer"] = ["wait=1", "respond-async"]
    headers = scope_of(event)["headers"]
    assert (b"if-none-match", b'"1"') in headers
    assert [value for name, value in headers if name == b"prefer"] == [b"wait=1", b"respond-async"]
    bare = rest_request("GET", "/", multiValueHeaders=None)
    bare["headers"] = None
    assert scope_of(bare)["headers"] == [(b"host", REST_HOST.encode())]
    cookies = http_request("GET", "/", cookies=["a=1", "b=2"])
    assert (b"cookie", b"a=1; b=2") in scope_of(cookies)["headers"]


@both
async def test_a_request_ends_before_its_function_does(tested: TestApp, request_: Make) -> None:
    answered = await answer(tested.app, request_("GET", "/slow"), 0.05)
    assert answered["statusCode"] == 504
    assert json.loads(answered["body"])["type"] == "/problems/timed-out"


@both
async def test_an_endless_answer_ends_with_what_there_was(tested: TestApp, request_: Make) -> None:
    body = {"order_id": "s-1", "amount": 1}
    accepted = await answer(tested.app, request_("POST", "/orders", body=body), 5)
    job_id = json.loads(accepted["body"])["id"]
    stream = await answer(tested.app, request_("GET", f"/jobs/{job_id}/events"), 0.2)
    assert stream["statusCode"] == 200
    assert f'"subject":"{job_id}"' in stream["body"]


async def test_an_application_that_fails_is_a_problem() -> None:
    async def failing(*_: Any) -> None:
        raise RuntimeError("a bug")

    answered = await answer(failing, rest_request("GET", "/"), 5)
    assert answered["statusCode"] == 500
    assert "a bug" not in answered["body"]

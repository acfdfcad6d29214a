"""From method and path to an endpoint."""

import pytest

from eitherway.gateway.routes import Request, Routes
from eitherway.gateway.wire import RefusedError


def endpoint(name):
    async def serve(request): ...

    serve.__name__ = name
    return serve


@pytest.fixture
def routes():
    made = Routes()
    made.add("POST", "/orders/direct", endpoint("place"))
    made.add("GET", "/orders/{order_id}", endpoint("read"))
    made.add("PUT", "/orders/{key}", endpoint("write"))
    made.add("GET", "/shops/{number:int}", endpoint("shop"))
    return made


def find(routes, method, path):
    request = Request({"method": method, "path": path, "headers": []}, None, None)
    return routes.find(request).__name__, request


def test_paths_that_overlap_are_told_apart_by_method(routes):
    """A plain path, and patterns of the same shape under other names."""
    assert find(routes, "POST", "/orders/direct")[0] == "place"
    assert find(routes, "GET", "/orders/direct")[0] == "read"
    assert find(routes, "PUT", "/orders/a")[0] == "write"


def test_parameters_are_converted(routes):
    """By the convertors of Starlette's path syntax."""
    assert find(routes, "GET", "/orders/a")[1].params == {"order_id": "a"}
    assert find(routes, "GET", "/shops/7")[1].params == {"number": 7}
    assert find(routes, "GET", "/shops/7")[1].route == "/shops/{number:int}"


def test_head_is_served_as_get(routes):
    """Without the body."""
    name, request = find(routes, "HEAD", "/orders/direct")
    assert (name, request.head) == ("read", True)


@pytest.mark.parametrize(
    ("method", "path", "status", "allowed"),
    [
        ("DELETE", "/orders/direct", 405, b"GET, HEAD, OPTIONS, POST, PUT"),
        ("OPTIONS", "/orders/a", 204, b"GET, HEAD, OPTIONS, PUT"),
        ("OPTIONS", "/orders/direct", 204, b"OPTIONS, POST"),  # as OpenAPI has it (ERR-5)
        ("GET", "/shops/x", 404, None),
    ],
)
def test_what_is_not_served_says_what_is(routes, method, path, status, allowed):
    """405 and OPTIONS with every method of the path, 404 without any."""
    with pytest.raises(RefusedError) as refusal:
        find(routes, method, path)
    assert refusal.value.problem.status == status
    assert dict(refusal.value.headers).get(b"allow") == allowed

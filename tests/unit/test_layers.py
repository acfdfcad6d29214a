"""ASGI middleware around the gateway, and CORS."""

import pytest
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from wire import Sse, connected

from eitherway import App, ConfigurationError
from eitherway.cors import EXPOSED_HEADERS, cors_options
from eitherway.gateway.whole import fields_of
from eitherway.settings import Settings
from eitherway.testing import TestApp

ORIGIN = "https://app.example"
EXPOSED = "location, operation-location, retry-after, etag, preference-applied"


class Named:
    """Adds a header with its name, and notes what passes."""

    def __init__(self, app, name, seen):
        self.app, self.name, self.seen = app, name, seen

    async def __call__(self, scope, receive, send):
        self.seen.append((self.name, scope["type"], scope["path"]))

        async def sending(message):
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], (b"x-by", self.name)]}
            await send(message)

        await self.app(scope, receive, sending)


class Broken:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["path"] == "/broken":
            raise ValueError("inside")
        await self.app(scope, receive, send)


def shop():
    app = App("shop")

    @app.post("/orders", delivery="queued")
    async def place_order(order: dict) -> dict:
        return order

    @app.get("/fail")
    async def fail() -> None:
        raise ValueError("inside")

    return app


async def test_every_request_and_websocket_passes_all_middleware_the_last_added_first():
    """Health, refusals and mounted applications, too."""
    seen = []
    app = shop()
    app.add_middleware(Named, name=b"inner", seen=seen)
    app.add_middleware(Named, b"outer", seen)
    async with TestApp(app) as test:
        for path in ("/livez", "/nothing", "/fail"):
            seen.clear()
            await test.request("GET", path)
            assert seen == [(b"outer", "http", path), (b"inner", "http", path)]
        seen.clear()
        await connected(test, "/events")
        assert seen == [(b"outer", "websocket", "/events"), (b"inner", "websocket", "/events")]
        with pytest.raises(ConfigurationError, match="open"):
            app.add_middleware(Broken)


async def named(request, call_next):
    response = await call_next(request)
    response.headers["x-by"] = "a"
    return response


@pytest.mark.parametrize(
    ("factory", "options"),
    [(Named, {"name": b"a", "seen": []}), (BaseHTTPMiddleware, {"dispatch": named})],
)
async def test_streams_pass_piece_by_piece_and_end_with_their_client(factory, options):
    """Nothing is buffered, and a hang-up gets through: even through Starlette's own base class."""
    app = shop()
    app.add_middleware(factory, **options)
    async with TestApp(app) as test:
        job = (await test.request("POST", "/orders", json={})).json()
        stream = Sse(test, f"/jobs/{job['id']}/events")
        stream.hear("http.request")
        assert (await stream.start())["x-by"] == "a"
        await stream.chunk()
        stream.hear("http.disconnect")
        await stream.over()


async def test_what_a_middleware_raises_is_a_problem_with_what_the_outer_ones_add():
    """No traceback, and its own headers for a page of another origin."""
    app = shop()
    app.add_middleware(Broken)
    app.add_middleware(CORSMiddleware, **cors_options(ORIGIN))
    async with TestApp(app) as test:
        answer = await test.request("GET", "/broken", headers={"origin": ORIGIN})
        assert (answer.status, answer.json()["type"]) == (500, "/problems/internal-error")
        assert answer.headers["access-control-allow-origin"] == ORIGIN


async def test_without_middleware_nothing_is_around_the_gateway():
    """It costs nothing."""
    app = shop()
    async with TestApp(app):
        assert app._serving is app._gateway


@pytest.fixture
async def crossed():
    app = shop()
    settings = Settings(cors_origins=f"{ORIGIN}/, https://b.example")
    async with TestApp(app, settings=settings) as test:
        yield test


async def test_a_setting_lets_pages_of_other_origins_read_all_answers(crossed):
    """202, job documents, 304, 404, 405, 422, 500: each with what scripts need to read."""

    async def check(method, path, status, json=None, **headers):
        answer = await crossed.request(
            method, path, json=json, headers={"origin": ORIGIN, **headers}
        )
        assert answer.status == status
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        exposed = answer.headers["access-control-expose-headers"].lower()
        assert exposed.startswith(EXPOSED)
        assert "Origin" in answer.headers["vary"]
        return answer

    accepted = await check("POST", "/orders", 202, {}, prefer="respond-async")
    path = f"/jobs/{accepted.json()['id']}"
    assert accepted.headers["vary"] == "Prefer, Origin"
    shown = await check("GET", path, 200)
    await check("GET", path, 304, **{"if-none-match": shown.headers["etag"]})
    await check("GET", "/nothing", 404)
    await check("GET", f"{path}/result", 404)
    await check("PUT", "/orders", 405, {})
    await check("POST", "/orders", 422, 1)
    await check("GET", "/fail", 500)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
async def test_a_preflight_allows_what_clients_send(crossed, method):
    """Every method and the headers of the wire."""
    wished = "prefer,idempotency-key,authorization,traceparent,content-type,if-none-match"
    headers = {
        "origin": ORIGIN,
        "access-control-request-method": method,
        "access-control-request-headers": wished,
    }
    answer = await crossed.request("OPTIONS", "/orders", headers=headers)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert method in answer.headers["access-control-allow-methods"]
    assert answer.headers["access-control-allow-headers"] == wished


async def test_a_page_of_any_other_origin_reads_nothing(crossed):
    """Nor does a page whose origin only begins like one."""
    for origin in ("https://evil.example", f"{ORIGIN}.evil"):
        answer = await crossed.request("GET", "/livez", headers={"origin": origin})
        assert "access-control-allow-origin" not in answer.headers


async def test_the_websocket_takes_the_same_origins_and_its_own(crossed):
    """Not those of nobody."""
    from wire import Socket

    await connected(crossed, "/events", origin=ORIGIN)
    await connected(crossed, "/events", origin="http://testserver")
    assert (await Socket(crossed, "/events", origin="https://evil.example").sent())["status"] == 403


def test_what_is_exposed_is_what_is_sent():
    """Spelt as on the wire."""
    assert {*EXPOSED.split(", ")} <= {name.lower() for name in EXPOSED_HEADERS}


class Taking:
    """A server whose `send` stands beside a way to hand an answer over whole."""

    def __init__(self):
        self.sent, self.taken = [], []

    async def send(self, message):
        self.sent.append(message)

    def respond_whole(self, status, lines, body):
        self.taken.append((status, dict(fields_of(lines))))
        return True

    async def receive(self):
        return {"type": "http.request", "body": b"{}", "more_body": False}


ASKED = {
    "type": "http",
    "method": "POST",
    "path": "/orders",
    "query_string": b"",
    "headers": [(b"host", b"testserver"), (b"content-type", b"application/json")],
}


async def test_a_server_that_takes_answers_whole_gets_them_so():
    server, app = Taking(), shop()
    async with TestApp(app):
        await app(dict(ASKED), server.receive, server.send)
    assert not server.sent
    ((status, fields),) = server.taken
    assert status == 202
    assert fields[b"vary"] == b"Prefer"


async def test_what_a_layer_wants_to_see_is_not_sent_past_it():
    """Neither past one that the app has, nor past what somebody has put around the app."""
    server, app = Taking(), shop()
    app.add_middleware(Named, b"outer", [])
    async with TestApp(app):
        await app(dict(ASKED), server.receive, server.send)
        await Named(app, b"outermost", [])(dict(ASKED), server.receive, server.send)
    assert not server.taken
    starts = [sent["headers"] for sent in server.sent if "headers" in sent]
    assert [[v for k, v in headers if k == b"x-by"] for headers in starts] == [
        [b"outer"],
        [b"outer", b"outermost"],
    ]


async def test_what_is_around_an_app_without_layers_sees_all_as_well():
    server, app = Taking(), shop()
    async with TestApp(app):
        await Named(app, b"around", [])(dict(ASKED), server.receive, server.send)
    assert not server.taken
    assert dict(server.sent[0]["headers"])[b"x-by"] == b"around"

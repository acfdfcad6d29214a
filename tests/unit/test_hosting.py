"""In a FastAPI application, and with one inside: paths, links, WebSockets, lifespans."""

import asyncio
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount
from wire import Socket, connected

from eitherway import App, ConfigurationError
from eitherway.lifespan import LifespanError
from eitherway.testing.http import request


def shop(**options):
    app = App("shop", engine="sqlite://:memory:", **options)

    @app.post("/orders", delivery="queued")
    async def place_order(order: dict) -> dict:
        return order

    @app.get("/orders/{order_id}")
    async def read_order(order_id: str) -> str:
        return order_id

    return app


def client(asgi_app):
    transport = httpx.ASGITransport(asgi_app)
    return httpx.AsyncClient(transport=transport, base_url="http://api.example")


class Seen:
    """A stand-in with `app`, for tools that ask a `TestApp` for it."""

    def __init__(self, app):
        self.app = app


@pytest.mark.parametrize("path", ["", "/shop", "/a/b"])
async def test_mounted_in_fastapi_it_serves_below_its_path_and_says_so_in_links(path):
    """Operations, the job resource and `Location` are where they are reached."""
    app = shop()
    api = FastAPI(lifespan=app.lifespan)
    api.mount(path or "/", app)
    async with api.router.lifespan_context(api), client(api) as http:
        accepted = await http.post(f"{path}/orders", json={"a": 1})
        assert accepted.status_code == 202
        location = accepted.headers["location"]
        assert location == f"http://api.example{path}/jobs/{accepted.json()['id']}"
        assert accepted.headers["operation-location"] == location
        assert accepted.json()["links"]["self"] == location
        assert accepted.json()["links"]["events"] == f"{location}/events"
        assert (await http.get(location)).json()["status"] == "queued"
        assert (await http.get(f"{path}/orders/A-1")).json() == "A-1"
        assert (await http.get(f"{path}/nothing")).headers["content-type"].endswith("problem+json")
        refused = await http.put(f"{path}/orders", json={})
        assert (refused.status_code, refused.headers["allow"]) == (405, "OPTIONS, POST")
        assert (await http.get(f"{path}/livez")).status_code == 200
        assert (await http.get("/openapi.json")).json()["paths"] == {}  # FastAPI's own comes first


@pytest.mark.parametrize("path", ["", "/shop"])
async def test_mounted_in_fastapi_its_websocket_is_below_its_path(path):
    """It follows a job there, and the event's data has links that lead there."""
    app = shop()
    api = FastAPI(lifespan=app.lifespan)
    api.mount(path or "/", app)
    async with api.router.lifespan_context(api), client(api) as http:
        accepted = (await http.post(f"{path}/orders", json={})).json()
        socket = await connected(Seen(api), f"{path}/events?jobs={accepted['id']}")
        assert (await http.delete(f"{path}/jobs/{accepted['id']}")).status_code == 200
        while (event := await socket.event())["type"] != "eitherway.job.canceled":
            assert event["type"] == "eitherway.job.queued"
        assert event["data"]["links"]["self"] == f"http://testserver{path}/jobs/{accepted['id']}"
        socket.hear("websocket.disconnect")
        await socket.over()


async def test_a_lifespan_that_was_forgotten_is_a_problem_that_says_so(caplog):
    """Not a traceback; for a WebSocket, too."""
    app = shop()
    api = FastAPI()
    api.mount("/shop", app)
    async with api.router.lifespan_context(api), client(api) as http:
        answer = await http.get("/shop/orders/A-1")
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/not-ready")
        assert "FastAPI(lifespan=app.lifespan)" in answer.json()["detail"]
        socket = Socket(Seen(api), "/shop/events")
        assert (await socket.sent())["status"] == 503
        socket.hear("websocket.disconnect")
    assert {record.message for record in caplog.records} == {answer.json()["detail"]}


async def test_the_lifespan_composes_with_ones_own_and_with_starlette():
    """Open within the block, closed after it; and again."""
    app = shop()

    @asynccontextmanager
    async def own(host):
        async with app.lifespan():
            yield {"host": host}

    host = Starlette(routes=[Mount("/shop", app)], lifespan=own)
    for _ in range(2):
        async with host.router.lifespan_context(host) as state, client(host) as http:
            assert state == {"host": host}
            assert (await http.get("/shop/orders/A-1")).status_code == 200
        with pytest.raises(ConfigurationError, match="not open"):
            app.runtime  # noqa: B018


def told(said):
    """A FastAPI application whose lifespan is told of in `said`."""

    @asynccontextmanager
    async def lifespan(_):
        async with asyncio.TaskGroup() as group:  # belongs to the task that entered it
            group.create_task(asyncio.sleep(0))
            said.append("opened")
            yield {"pool": "a pool"}
        said.append("closed")

    return FastAPI(lifespan=lifespan)


async def test_a_mounted_applications_lifespan_runs_with_the_apps_and_keeps_its_state():
    """`request.state` has what the lifespan yielded, as under any server."""
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse

    said = []
    api = told(said)

    async def pool(request: Request):
        return PlainTextResponse(f"{request.state.pool} at {request.url.path}")

    api.add_route("/pool", pool)
    app = shop()
    app.mount("/api", api)
    async with app:
        assert said == ["opened"]
        assert (await request(app, "GET", "/api/pool")).body == b"a pool at /api/pool"
        servers = (await request(app, "GET", "/api/openapi.json")).json()["servers"]
        assert servers == [{"url": "/api"}]
    assert said == ["opened", "closed"]
    await app.open(serving=False)  # as a worker does
    await app.close()
    assert said == ["opened", "closed"]


async def test_a_mounted_application_that_cannot_start_is_one_line():
    """And the app is not left half open."""

    @asynccontextmanager
    async def broken(_):
        raise ConnectionError("no database at 10.0.0.7")
        yield

    app = shop()
    app.mount("/api", FastAPI(lifespan=broken))
    with pytest.raises(LifespanError) as caught:
        await app.open()
    assert str(caught.value) == (
        "the application at /api failed at start: ConnectionError: no database at 10.0.0.7"
    )
    with pytest.raises(ConfigurationError, match="not open"):
        app.runtime  # noqa: B018


async def test_a_mounted_applications_websocket_is_at_its_path():
    """What is eitherway's own stays so."""
    api = FastAPI()

    @api.websocket("/echo")
    async def echo(websocket: "WebSocket"):
        await websocket.accept()
        await websocket.send_text(f"{websocket.scope['root_path']}{await websocket.receive_text()}")
        await websocket.close()

    app = shop()
    app.mount("/api", api)
    app.mount("/", api)
    async with app:
        for url in ("/api/echo", "/echo"):
            socket = Socket(Seen(app), url, offers=())
            assert (await socket.sent())["type"] == "websocket.accept"
            socket.say("hello")
            assert (await socket.sent())["text"] == f"{url.removesuffix('/echo')}hello"
            assert (await socket.sent())["type"] == "websocket.close"
            await socket.over()
        await connected(Seen(app), "/events")


async def test_what_a_mounted_application_raises_is_a_problem():
    """Where it has not answered itself."""

    async def broken(scope, receive, send):
        raise ValueError("inside")

    app = shop()
    app.mount("/broken", broken)
    async with app:
        answer = await request(app, "GET", "/broken/a")
        assert (answer.status, answer.json()["type"]) == (500, "/problems/internal-error")
        assert b"inside" not in answer.body


from fastapi import WebSocket  # noqa: E402 - FastAPI looks names up here

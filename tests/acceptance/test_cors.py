"""Pages of another origin, in a real browser: what scripts may send, and what they may read."""

import contextlib

import pytest
from browser import chromium
from service import Service
from test_hosted import hosted

pytestmark = pytest.mark.slow

LISTEN = """
const [url] = arguments;
window.heard = [];
const socket = new WebSocket(url, "cloudevents.json");
socket.onmessage = (message) => window.heard.push(JSON.parse(message.data).type);
socket.onclose = () => window.heard.push("closed");
"""
HEADERS = {
    "content-type": "application/json",
    "prefer": "respond-async",
    "idempotency-key": "k-1",
    "authorization": "Bearer nobody",
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
}


@contextlib.asynccontextmanager
async def by_itself(folder, origin):
    service = Service(folder, "run", target="hosted_apps:shop")
    service.start(EITHERWAY_CORS_ORIGINS=origin)
    try:
        yield (await service.ready()).url
    finally:
        service.stop()


@contextlib.asynccontextmanager
async def in_fastapi(folder, origin):
    given = {"HOSTED_ORIGIN": origin, "EITHERWAY_CORS_ORIGINS": origin}
    async with hosted(folder, "hosted_apps:api", "hosted_apps:shop", **given) as (url, _):
        yield f"{url}/shop"


@pytest.mark.parametrize("host", [by_itself, in_fastapi])
async def test_a_page_of_another_origin_sends_follows_and_reads_it_all(tmp_path, origin, host):
    """202 with its headers, the job by its `Location`, 304, problems, and events by WebSocket."""
    async with host(tmp_path, origin) as url:
        with chromium(tmp_path / "profile") as tab:
            tab.open(origin)
            accepted = tab.fetch(f"{url}/orders", "POST", '{"order_id": "A-1"}', **HEADERS)
            assert accepted["status"] == 202, accepted
            location = accepted["headers"]["location"]
            assert location == accepted["headers"]["operation-location"]
            assert location == f"{url}/jobs/{accepted['body']['id']}"
            assert accepted["headers"]["preference-applied"] == "respond-async"
            assert "retry-after" in accepted["headers"]
            socket = url.replace("http", "ws", 1)
            tab.run(LISTEN, f"{socket}/events?jobs={accepted['body']['id']}")
            tab.wait("window.heard.includes('eitherway.job.succeeded')")
            shown = tab.fetch(location, prefer="wait=10")
            assert (shown["status"], shown["body"]["result"]) == (200, "hosted")
            etag = shown["headers"]["etag"]
            assert tab.fetch(location, **{"if-none-match": etag})["status"] == 304
            refused = tab.fetch(f"{url}/orders", "POST", "{}", **HEADERS)
            assert (refused["status"], refused["body"]["type"]) == (422, "/problems/invalid-input")
            assert tab.fetch(f"{url}/jobs/none")["body"]["type"] == "/problems/unknown-job"
            assert tab.fetch(location, "DELETE")["status"] == 204


async def test_a_page_of_an_origin_that_is_not_listed_reads_nothing(tmp_path, origin):
    """The browser keeps it from the script; no WebSocket either."""
    async with by_itself(tmp_path, "http://listed.example") as url:
        with chromium(tmp_path / "profile") as tab:
            tab.open(origin)
            assert "error" in tab.fetch(f"{url}/livez")
            tab.run(LISTEN, f"{url.replace('http', 'ws', 1)}/events?jobs=a")
            tab.wait("window.heard.length")
            assert tab.run("return window.heard") == ["closed"]

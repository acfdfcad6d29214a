"""Pages of another origin, in a real browser: what scripts may send, and what they may read."""

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from browser import chromium
from service import Service
from test_hosted import running, uvicorn

pytestmark = pytest.mark.slow

ASK = """
const [url, method, headers, body] = arguments;
const done = arguments[arguments.length - 1];
window.answer = undefined;
fetch(url, {method, headers, body: body ?? undefined}).then(
  async (response) => {
    window.answer = {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      body: await response.json().catch(() => null),
    };
  },
  (error) => { window.answer = {error: String(error)}; },
);
"""
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


class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>another origin</title>")

    def log_message(self, *_):
        pass


@pytest.fixture
def origin():
    """Where the page is."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


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
    with (
        uvicorn(folder, "hosted_apps:api", **given) as (process, log),
        Service(folder, "worker", target="hosted_apps:shop"),
    ):
        yield f"{await running(process, log)}/shop"


def ask(tab, url, method="GET", body=None, **headers):
    tab.run(ASK, url, method, headers, body)
    tab.wait("window.answer")
    return tab.run("return window.answer")


@pytest.mark.parametrize("host", [by_itself, in_fastapi])
async def test_a_page_of_another_origin_sends_follows_and_reads_it_all(tmp_path, origin, host):
    """202 with its headers, the job by its `Location`, 304, problems, and events by WebSocket."""
    async with host(tmp_path, origin) as url:
        with chromium(tmp_path / "profile") as tab:
            tab.open(origin)
            accepted = ask(tab, f"{url}/orders", "POST", '{"order_id": "A-1"}', **HEADERS)
            assert accepted["status"] == 202, accepted
            location = accepted["headers"]["location"]
            assert location == accepted["headers"]["operation-location"]
            assert location == f"{url}/jobs/{accepted['body']['id']}"
            assert accepted["headers"]["preference-applied"] == "respond-async"
            assert "retry-after" in accepted["headers"]
            socket = url.replace("http", "ws", 1)
            tab.run(LISTEN, f"{socket}/events?jobs={accepted['body']['id']}")
            tab.wait("window.heard.includes('eitherway.job.succeeded')")
            shown = ask(tab, location, prefer="wait=10")
            assert (shown["status"], shown["body"]["result"]) == (200, "hosted")
            etag = shown["headers"]["etag"]
            assert ask(tab, location, **{"if-none-match": etag})["status"] == 304
            refused = ask(tab, f"{url}/orders", "POST", "{}", **HEADERS)
            assert (refused["status"], refused["body"]["type"]) == (422, "/problems/invalid-input")
            assert ask(tab, f"{url}/jobs/none")["body"]["type"] == "/problems/unknown-job"
            assert ask(tab, location, "DELETE")["status"] == 204


async def test_a_page_of_an_origin_that_is_not_listed_reads_nothing(tmp_path, origin):
    """The browser keeps it from the script; no WebSocket either."""
    async with by_itself(tmp_path, "http://listed.example") as url:
        with chromium(tmp_path / "profile") as tab:
            tab.open(origin)
            assert "error" in ask(tab, f"{url}/livez")
            tab.run(LISTEN, f"{url.replace('http', 'ws', 1)}/events?jobs=a")
            tab.wait("window.heard.length")
            assert tab.run("return window.heard") == ["closed"]

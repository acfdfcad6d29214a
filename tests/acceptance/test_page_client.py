"""`/eitherway.js` against real processes: in Node under kills, and in a page that is cut off."""

import asyncio
import json
from subprocess import PIPE

import httpx
import pytest
from browser import chromium
from client_load import kill_while
from cutting import cutting
from service import HERE, Service

from node import NODE

pytestmark = pytest.mark.slow

MODULE = HERE.parents[1] / "src" / "eitherway" / "gateway" / "eitherway.js"
ORDERS = 120


@pytest.fixture
async def shop(tmp_path, monkeypatch):
    """Gateway and worker under a supervisor."""
    monkeypatch.setenv("CLIENT_FOLDER", str(tmp_path))
    with Service(tmp_path, "run", target="client_apps:app") as service:
        yield await service.ready()


@pytest.mark.parametrize("transport", ["websocket", "sse", "poll"])
async def test_under_kills_each_order_is_placed_once_and_told(shop, transport):
    """Every delivery, by call and by submit, while the gateway is killed three times and more."""
    command = [NODE, HERE / "use_module.mjs", MODULE.as_uri(), shop.url, transport, str(ORDERS)]
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, limit=2**20)
    lines = []

    async def read():
        async for line in process.stdout:
            lines.append(json.loads(line))  # noqa: PERF401 - counted meanwhile
        return await process.wait()

    reading = asyncio.ensure_future(read())
    kills = await kill_while(shop, reading, lambda: len(lines), ORDERS // 4)
    assert reading.result() == 0
    assert kills >= 3
    *done, heard = lines
    assert sorted(done) == list(range(ORDERS))
    assert len(heard) == ORDERS // 3  # of every second order, those that were not direct
    for events in heard.values():
        numbers = [number for number, _ in events]
        assert numbers == sorted(set(numbers))
        assert events[-1][1] == "succeeded"
        if transport != "poll":  # which tells states, not every event
            assert numbers == [*range(numbers[0], numbers[-1] + 1)]
    async with httpx.AsyncClient(base_url=shop.url) as client:
        placed = [(await client.get(f"/placed/{n}")).json() for n in range(ORDERS)]
    assert placed == [1] * ORDERS


START = """
const done = arguments[0];
import("/eitherway.js").then(async ({ Client }) => {
  window.by = [];
  window.shop = new Client({ connected: (transport) => window.by.push(transport) });
  const json = { order_id: "o1" };
  window.called = await shop.call("POST", "/queued", { json });
  const [held, never] = [await shop.submit("POST", "/held", { json }),
                         await shop.submit("POST", "/held", { json: { order_id: "o2" } })];
  Object.assign(window, { events: [], results: [], never });
  held.result().then((order) => results.push(order.order_id));
  never.result().catch((error) => results.push(error.name));
  (async () => { for await (const event of held.events()) events.push(event); })();
  done(true);
}).catch((error) => done(String(error)));
"""
TOLD = "window.events.some((event) => event.data.status === 'running')"


async def test_a_page_that_is_cut_off_is_told_and_cancels(shop, tmp_path):
    """Submitted and told over a WebSocket that is cut, and comes back by itself; no error shown."""
    async with cutting(shop.url) as proxy:

        def use():
            with chromium(tmp_path / "profile") as tab:
                tab.open(f"{proxy.url}/")
                assert tab.run_later(START) is True
                tab.wait(TOLD)
                loop.call_soon_threadsafe(proxy.cut)
                tab.wait("window.by.join() === 'websocket,,websocket'")
                (tmp_path / "o1").touch()
                tab.run("return window.never.cancel()")
                tab.wait("window.results.length === 2")
                told = tab.run("return [window.called, window.results.sort(), window.events]")
                return *told, tab.errors()

        loop = asyncio.get_running_loop()
        called, results, events, errors = await asyncio.to_thread(use)
    assert called["order_id"] == "o1"
    assert results == ["JobCanceledError", "o1"]
    numbers = [int(event["sequence"]) for event in events]
    assert numbers == [*range(numbers[0], numbers[-1] + 1)]
    assert [event["via"] for event in events] == ["websocket"] * len(events)
    assert events[-1]["data"]["status"] == "succeeded"
    assert errors == []
    assert proxy.cuts == 1

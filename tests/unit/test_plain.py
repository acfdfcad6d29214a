"""Plain requests: accepted past ASGI, and answered as those that go through it."""

import asyncio
import json
import re

import pytest
from pydantic import BaseModel
from served import exchange, served

from eitherway import App, Context, Limit
from eitherway.engines.sqlite.engine import SqliteEngine
from eitherway.errors import EngineError, EngineUnavailableError
from eitherway.gateway.plain import PlainDoor
from eitherway.gateway.receipts import Receipts
from eitherway.settings import Settings
from eitherway.testing import TestApp


class Order(BaseModel):
    id: str
    qty: int = 1


def shop():
    app = App("plain")

    @app.post("/orders", delivery="queued")
    async def place(order: Order) -> str:
        return order.id

    @app.post("/noted", delivery="queued")
    async def note(order: Order, ctx: Context) -> str:
        return ctx.headers.get("x-note", "")

    @app.post("/keyed", delivery="queued", limit=Limit(in_flight=1, key=lambda order: order.no))
    async def keyed(order: Order) -> str:
        return order.id

    @app.post("/sums")
    async def add(order: Order) -> int:
        return order.qty + 1

    @app.post("/headers")
    async def tell(order: Order, ctx: Context) -> list[str]:
        return [*sorted(ctx.headers.keys() - {"x-twice"}), ctx.job_id[14]]

    @app.post("/nothing", status=204)
    async def do(order: Order) -> None: ...

    @app.post("/broken")
    async def fail(order: Order) -> None:
        raise RuntimeError("broken")

    @app.post("/full", limit=Limit(per_second=0.01))
    async def full(order: Order) -> None: ...

    return app


@pytest.fixture
def took(monkeypatch):
    """Whether the door past ASGI took each request that it was offered."""
    took = []
    take = PlainDoor.take

    def noted(self, asking):
        took.append(take(self, asking))
        return took[-1]

    monkeypatch.setattr(PlainDoor, "take", noted)
    return took


def post(body, *fields, path="/orders", length=None):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = [f"POST {path} HTTP/1.1", "Host: shop.test", f"Content-Length: {length or len(body)}"]
    head += [] if any("Content-Type" in field for field in fields) else [JSON]
    return "\r\n".join([*head, *fields, "", ""]).encode() + body


JSON = "Content-Type: application/json"
TWICE = "X-Twice: 1\r\nX-Twice: 2"  # no request with that is plain
CLOSE = b"GET /livez HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n"


async def asked(app, *requests):
    """What is answered to each, on one connection, one after the other."""
    async with served(app) as address:
        reader, writer = await asyncio.open_connection(*address)
        answers = []
        for request in requests:
            writer.write(request)
            answers.append(await answer_of(reader))
        writer.close()
        await writer.wait_closed()
    return answers


async def answer_of(reader):
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    body = await reader.readexactly(int(re.search(r"content-length: (\d+)", head)[1]))
    return head, json.loads(body)


def alike(answer):
    """An answer without what differs between two jobs."""
    head, document = answer
    own = r"[0-9a-f-]{36}|\d{4}-\d\d-\d\dT[\d:.]+Z|date: [^\r]+"
    return re.sub(own, "*", head), re.sub(own, "*", json.dumps(document))


async def test_a_plain_request_is_answered_as_any_other(took):
    """To the byte, as one that goes through ASGI."""
    app = shop()
    async with TestApp(app):
        await asked(app, post({"id": "first"}))  # of a queue nobody has looked at
        plain, special = await asked(app, post({"id": "1"}), post({"id": "2"}, TWICE))
    assert took == [True, True]
    assert plain[0].startswith("HTTP/1.1 202 ")
    ahead = '"ahead": '
    assert alike(plain)[1].replace(ahead + "1", ahead + "2") == alike(special)[1]
    assert alike(plain)[0] == alike(special)[0]


@pytest.mark.parametrize(
    ("path", "status"), [("/sums", 200), ("/headers", 200), ("/nothing", 204), ("/broken", 500)]
)
async def test_a_plain_call_is_answered_as_any_other(took, path, status):
    """To the byte: what it gives back, and what became of it where it gives nothing back."""
    app = shop()
    async with TestApp(app):
        plain = await asked_once(app, post({"id": "1", "qty": 2}, path=path))
        special = await asked_once(app, post({"id": "1", "qty": 2}, TWICE, path=path))
    assert took == [True]
    assert plain.startswith(b"HTTP/1.1 %d " % status)
    dates = rb"date: [^\r]+"
    assert re.sub(dates, b"", plain) == re.sub(dates, b"", special)


async def test_a_plain_call_without_room_is_refused(took):
    app = shop()
    async with TestApp(app) as client:
        first, second = post({"id": "1"}, path="/full"), post({"id": "2"}, path="/full")
        given = await asked_once(app, first + second)
        given += await asked_once(app, second)
        measures = (await client.request("GET", "/metrics")).body.decode()
    assert re.findall(rb"HTTP/1.1 (\d+) ", given) == [b"200", b"503", b"200", b"503", b"200"]
    assert took == [True, True]
    assert b"retry-after: " in given
    assert re.search(r'_count\{[^}]*"503"[^}]*route="/full"\} 2\.0', measures)


async def test_a_plain_call_that_the_store_fails_is_told_so(took):
    def fail(step):
        if step == "settle.written" and opened:
            raise OSError("no space left on device")

    opened, app = [], shop()
    orders = app.table("orders", Order, key="id")

    @app.post("/stored")
    async def store(order: Order) -> None:
        await orders.put(order)

    await app.open(Settings(engine="sqlite://:memory:"), at_step=fail)
    opened.append(True)
    given = await asked_once(app, post({"id": "1"}, path="/stored"))
    await app.close()
    assert took == [True]
    assert given.startswith(b"HTTP/1.1 503 ")


async def test_its_job_is_like_any_other(took):
    """Stored before the answer, run with what the request said, and counted."""
    app = shop()
    async with TestApp(app) as client:
        (answer,) = await asked(app, post({"id": "1"}, "X-Note: by hand", path="/noted"))
        await client.drain()
        result = await client.request("GET", answer[1]["links"]["result"])
        measures = (await client.request("GET", "/metrics")).body.decode()
    assert took == [True]
    assert result.json() == "by hand"
    assert 'eitherway_jobs_accepted_total{operation="note"} 1.0' in measures
    assert re.search(r'_count\{[^}]*route="/noted"[^}]*\} 1\.0', measures)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (post(b"{"), 400),
        (post({"id": 1}), 422),
        (post({"id": "1"}, "Content-Type: text/plain"), 415),
        (post({"id": "1" * 300_000}), 413),
        (post({"id": "1"}, path="/keyed"), 422),
    ],
)
async def test_what_is_wrong_is_said_by_the_door_that_says_all(took, sent, status):
    """And nothing is stored."""
    app = shop()
    async with TestApp(app) as client:
        given = await asked_once(app, sent)
        jobs = await client.app.runtime.engine.flow(["place", "keyed"])
    assert took in ([False], [])
    assert given.startswith(b"HTTP/1.1 %d " % status)
    assert [flow.waiting for flow in jobs] == [0, 0]


async def asked_once(app, sent):
    async with served(app) as address:
        return await exchange(address, sent + CLOSE)


@pytest.mark.parametrize(
    "field",
    [
        "Prefer: respond-async",
        "Idempotency-Key: one",
        "X-Forwarded-Proto: https",
        "Host: other.test",
        TWICE,
    ],
)
async def test_what_is_special_is_asked_in_full(took, field):
    app = shop()
    async with TestApp(app):
        given = await asked_once(app, post({"id": "1"}, field))
    assert not took
    assert given.startswith(b"HTTP/1.1 400 " if "Host" in field else b"HTTP/1.1 202 ")


async def test_a_body_that_is_on_its_way_is_asked_for(took):
    app = shop()
    async with TestApp(app), served(app) as address:
        reader, writer = await asyncio.open_connection(*address)
        sent = post({"id": "one"})
        writer.write(sent[:-5])
        await writer.drain()
        while not (tasks := [t for t in asyncio.all_tasks() if "run_asgi" in repr(t)]):
            await asyncio.sleep(0)
        writer.write(sent[-5:])
        head, _ = await answer_of(reader)
        writer.close()
        await asyncio.gather(*tasks)
    assert head.startswith("HTTP/1.1 202 ")
    assert not took


async def test_pipelined_requests_wait_for_the_plain_one_before_them(took):
    app = shop()
    async with TestApp(app), served(app) as address:
        given = await exchange(address, post({"id": "1"}) + post({"id": 2}) + CLOSE)
    assert re.findall(rb"HTTP/1.1 (\d+) ", given) == [b"202", b"422", b"200"]
    assert took == [True]


async def test_what_cannot_be_stored_is_said(took):
    """As a request that goes through ASGI has it, and the next one is served."""

    def fail(step):
        if step == "accept.written" and failing:
            raise OSError("no space left on device")

    failing, app = [True], shop()
    await app.open(Settings(engine="sqlite://:memory:"), at_step=fail)
    async with served(app) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(post({"id": "1"}))
        refused = await answer_of(reader)
        failing.clear()
        writer.write(post({"id": "1"}))
        accepted = await answer_of(reader)
        writer.close()
    await app.close()
    assert took == [True, True]
    assert refused[0].startswith("HTTP/1.1 503 ")
    assert "retry-after: 1\r\n" in refused[0]
    assert "vary: Prefer\r\n" in refused[0]
    assert refused[1]["detail"] == "nothing was stored, send it again"
    assert accepted[0].startswith("HTTP/1.1 202 ")


@pytest.mark.parametrize(
    ("error", "statuses"),
    [
        (None, [202, 202, 202]),
        (EngineError("the second cannot be stored"), [202, 500, 202]),
        (EngineUnavailableError("away"), [503, 503, 503]),
    ],
)
async def test_those_of_one_turn_are_stored_together(took, monkeypatch, error, statuses):
    """By one call of the engine; what is wrong with one of them is not the others'."""
    calls, accept = [], SqliteEngine.accept

    def noted(self, jobs):
        calls.append([json.loads(job.message.payload)["id"] for job in jobs])
        if isinstance(error, EngineUnavailableError):
            raise error
        if error is not None and "2" in calls[-1]:
            (failed := asyncio.get_running_loop().create_future()).set_exception(error)
            return failed
        return accept(self, jobs)

    monkeypatch.setattr(SqliteEngine, "accept", noted)
    app = shop()
    async with TestApp(app, engine="sqlite://:memory:"), served(app) as address:
        lines = [await asyncio.open_connection(*address) for _ in statuses]
        for number, (_, writer) in enumerate(lines, 1):
            writer.write(post({"id": str(number)}))
        answers = [await answer_of(reader) for reader, _ in lines]
        for _, writer in lines:
            writer.close()
    assert [int(head.split()[1]) for head, _ in answers] == statuses
    together = [["1", "2", "3"]]
    alone = [["1"], ["2"], ["3"]]
    assert calls == (together + alone if statuses[1] == 500 else together)


async def test_a_receipt_that_cannot_be_made_leaves_the_others(took, monkeypatch, caplog):
    """Of those that were stored together, and the log has it."""
    at_hand = Receipts.at_hand

    def fail(self, job, *args):
        if json.loads(job.message.payload)["id"] == "1":
            raise RuntimeError("broken")
        return at_hand(self, job, *args)

    app = shop()
    async with TestApp(app, engine="sqlite://:memory:"), served(app) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(post({"id": "0"}))  # of a queue nobody has looked at
        await answer_of(reader)
        monkeypatch.setattr(Receipts, "at_hand", fail)
        _, other = await asyncio.open_connection(*address)
        other.write(post({"id": "1"}))
        writer.write(post({"id": "2"}))
        assert (await answer_of(reader))[0].startswith("HTTP/1.1 202 ")
        other.transport.abort()
        writer.close()
    (record,) = [one for one in caplog.records if one.levelname == "ERROR"]
    assert "is stored, and nobody is told" in record.message


async def test_who_hangs_up_has_left_a_job(took):
    """It was stored, whether somebody hears of it or not."""
    written, go_on = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def hold(step):
        if step == "accept.written":
            loop.call_soon_threadsafe(written.set)
            asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(10)

    app = shop()
    runtime = await app.open(Settings(engine="sqlite://:memory:"), at_step=hold)
    async with served(app) as address:
        _, writer = await asyncio.open_connection(*address)
        writer.write(post({"id": "1"}))
        await written.wait()
        writer.transport.abort()
        go_on.set()
    (flow,) = await runtime.engine.flow(["place"])
    await app.close()
    assert took == [True]
    assert flow.waiting == 1


async def test_a_job_of_a_plain_request_belongs_to_its_trace(took):
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    app = shop()
    async with TestApp(app) as client:
        (answer,) = await asked(app, post({"id": "1"}, f"Traceparent: {parent}"))
        (record,) = await client.app.runtime.engine.get([answer[1]["id"]])
    assert took == [True]
    assert record.traceparent == parent


async def test_behind_a_proxy_a_request_is_plain_where_the_url_is_given(took):
    app = shop()
    settings = Settings(engine="sqlite://:memory:", public_url="https://shop.test/api/")
    await app.open(settings)
    (answer,) = await asked(app, post({"id": "1"}, "X-Forwarded-For: 10.0.0.1"))
    await app.close()
    assert took == [True]
    assert answer[1]["links"]["self"].startswith("https://shop.test/api/jobs/")


class Around(App):
    """Somebody's own, who wants to see every request."""

    async def __call__(self, scope, receive, send):
        self.seen = [*getattr(self, "seen", []), scope["path"]]
        await super().__call__(scope, receive, send)


async def test_nothing_goes_past_what_stands_around_the_app(took):
    around, layered = Around("around"), shop()
    around.post("/orders", delivery="queued")(orders)
    seen = []

    def layer(app):
        async def look(scope, receive, send):
            seen.append(scope["path"])
            await app(scope, receive, send)

        return look

    layered.add_middleware(layer)
    for app in (around, layered):
        async with TestApp(app):
            assert b" 202 " in await asked_once(app, post({"id": "1"}))
    assert not took
    assert around.seen[0] == seen[0] == "/orders"


async def orders(order: Order) -> None: ...


async def test_where_each_request_is_to_be_seen_none_is_plain(took, caplog):
    app = shop()
    await app.open(Settings(engine="sqlite://:memory:", access_log=True))
    with caplog.at_level("INFO", "eitherway.request"):
        assert b" 202 " in await asked_once(app, post({"id": "1"}))
    await app.close()
    assert not took
    assert any("/orders 202" in record.message for record in caplog.records)

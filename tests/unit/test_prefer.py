"""How a caller chooses the delivery of a queued operation (PREF-1 to PREF-7)."""

import asyncio

import pytest
from abnf.grammars import rfc7240
from pydantic import BaseModel

from eitherway import App, ConfigurationError, Reject, Retry
from eitherway.settings import Settings
from eitherway.testing import TestApp

APPLIED = rfc7240.Rule("Preference-Applied")


class Order(BaseModel):
    order_id: str
    note: str = ""


async def place_order(order: Order) -> Order:
    """Answers, or fails as its note says."""
    if order.note == "reject":
        raise Reject("no such customer", status=409)
    if order.note == "error":
        raise RuntimeError("a secret of the inside")
    return order


@pytest.fixture
async def shop():
    app = App("shop")
    once = Retry(attempts=1)
    app.post("/queued", name="queued", delivery="queued", retry=once, status=201)(place_order)
    app.post("/brief", name="brief", delivery="queued", wait_seconds=3)(place_order)
    app.post("/direct", name="direct", status=201)(place_order)
    async with TestApp(app, seed=1, settings=Settings(wait_seconds_max=30)) as opened:
        yield opened


def post(shop, path, prefer=None, note=""):
    headers = {} if prefer is None else {"prefer": prefer}
    body = {"order_id": "A-1", "note": note}
    return asyncio.ensure_future(shop.request("POST", path, json=body, headers=headers))


async def held(shop, path, prefer, note=""):
    """A request that has come to wait."""
    request = post(shop, path, prefer, note)
    await shop.clock.armed()
    assert not request.done()
    return request


def applied_of(response):
    value = response.headers.get("preference-applied")
    if value is not None:
        APPLIED.parse_all(f"Preference-Applied: {value}")
    return value


@pytest.mark.parametrize(
    ("prefer", "applied"),
    [
        (None, None),
        ("other, wait=soon", None),
        ("respond-asynchronously", None),
        ("respond-async", "respond-async"),
        ("respond-async;x=y", "respond-async"),
        ("respond-async, wait=0", "respond-async"),
        ("wait=0", "respond-async"),
    ],
)
async def test_without_a_wait_it_is_a_202_at_once(shop, prefer, applied):
    """A job document; `Preference-Applied` where something was asked for, `Vary` always."""
    response = await post(shop, "/queued", prefer)
    assert (response.status, response.json()["status"]) == (202, "queued")
    assert applied_of(response) == applied
    assert response.headers["vary"] == "Prefer"


@pytest.mark.parametrize("note", ["", "reject", "error"])
@pytest.mark.parametrize("prefer", ["wait=10", 'respond-async, WAIT="10";x'])
async def test_a_result_in_time_is_the_direct_answer_byte_for_byte(shop, prefer, note):
    """Status, type and body, of failures too; one run of the handler."""
    request = await held(shop, "/queued", prefer, note)
    assert await shop.drain() == 1
    response = await request
    at_once = await post(shop, "/direct", note=note)
    assert (response.status, response.headers["content-type"]) == (
        at_once.status,
        at_once.headers["content-type"],
    )
    assert response.body == at_once.body.replace(b"direct", b"queued")
    assert (applied_of(response), response.headers["vary"]) == ("wait=10", "Prefer")
    assert await shop.drain() == 0


@pytest.mark.parametrize(
    ("path", "prefer", "seconds"),
    [
        ("/queued", "wait=5", 5),
        ("/queued", "respond-async, wait=5", 5),
        ("/queued", "wait=1000", 30),
        ("/brief", "wait=1000", 3),
    ],
)
async def test_past_the_wait_it_is_a_202(shop, path, prefer, seconds):
    """After the time asked for, or the cap; the job was stored before, and runs after."""
    request = await held(shop, path, prefer)
    await shop.advance(seconds - 0.01)
    await shop.runtime.engine.purge(0)  # a round trip
    assert not request.done()
    await shop.advance(0.01)
    response = await request
    assert (response.status, applied_of(response)) == (202, f"respond-async, wait={seconds}")
    assert response.headers["operation-location"].endswith(response.json()["id"])
    assert await shop.drain() == 1


async def test_a_direct_operation_applies_none(shop):
    """Its plain answer, without `Vary`: there is no other."""
    response = await post(shop, "/direct", "respond-async, wait=5")
    assert response.status == 201
    assert "preference-applied" not in response.headers
    assert "vary" not in response.headers


async def test_refusals_vary_as_well(shop):
    """Of a route whose answer can differ, each answer says so."""
    for body, status in ((b"{", 400), (b"{}", 422), (b'"' + b"a" * 300_000 + b'"', 413)):
        headers = {"content-type": "application/json"}
        response = await shop.request("POST", "/queued", body=body, headers=headers)
        assert (response.status, response.headers["vary"]) == (status, "Prefer")


async def test_a_drain_answers_a_waiting_caller_with_a_202(shop):
    """At once: the job is stored."""
    request = await held(shop, "/queued", "wait=10")
    shop.app.begin_drain()
    response = await asyncio.wait_for(request, 10)
    assert (response.status, applied_of(response)) == (202, "respond-async, wait=10")


async def test_a_client_that_hangs_up_frees_its_wait(shop):
    """Nobody is listened for any more, and the job goes on."""
    gone = asyncio.Event()
    body = b'{"order_id": "A-1"}'
    messages = [{"type": "http.request", "body": body, "more_body": False}]
    headers = [(b"content-type", b"application/json"), (b"prefer", b"wait=10")]

    async def receive():
        if messages:
            return messages.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        raise AssertionError(f"there is nobody to send {message} to")

    scope = {"type": "http", "method": "POST", "path": "/queued", "query_string": b""}
    request = asyncio.ensure_future(shop.app({**scope, "headers": headers}, receive, send))
    await shop.clock.armed()
    assert shop.runtime.hub.following
    gone.set()
    await asyncio.wait_for(request, 10)
    assert not shop.runtime.hub.following
    assert await shop.drain() == 1


async def test_the_long_poll_says_what_it_applied(shop):
    """The same parser: the first `wait` counts, quoted or not."""
    job = (await post(shop, "/queued")).json()
    headers = {"prefer": 'other, wait="5", wait=9'}
    poll = asyncio.ensure_future(shop.request("GET", f"/jobs/{job['id']}", headers=headers))
    await shop.clock.armed()
    await shop.advance(5)
    response = await poll
    assert (response.status, applied_of(response)) == (200, "wait=5")


def test_a_wait_that_cannot_be_is_refused_when_declared():
    """A direct call has nothing to wait for; nobody waits less than nothing."""
    app = App("shop")
    with pytest.raises(ConfigurationError, match="wait_seconds is above 0"):
        app.post("/a", delivery="queued", wait_seconds=0)(place_order)
    with pytest.raises(ConfigurationError, match="a direct call makes no job"):
        app.post("/a", wait_seconds=5)(place_order)

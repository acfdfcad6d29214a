"""Push without a server: streams, sockets and the hub, on the real engine in memory."""

import asyncio
import json

import pytest
from cloudevents.core.formats.json import JSONFormat
from wire import Socket, Sse, connected

from eitherway import App, Context, Retry
from eitherway.engine.values import Extension
from eitherway.errors import EngineError, EngineUnavailableError
from eitherway.gateway.push.sse import COMMENT_SECONDS
from eitherway.settings import Settings
from eitherway.testing import TestApp

app = App("push")


@app.operation(retry=Retry(attempts=3, base_seconds=1, jitter="none"))
async def flaky(ctx: Context, note: str = "") -> str:
    if ctx.attempt < 2:
        raise RuntimeError("again")
    return f"result\u2028{note}"


@pytest.fixture
async def shop():
    settings = Settings(push_queue_max=5, connections_max=3, subscriptions_max=4)
    async with TestApp(app, seed=4, settings=settings) as opened:
        yield opened


async def finished(shop, **arguments):
    """A job that has ended, after two attempts."""
    job = await shop.enqueue(flaky, **arguments)
    await finish(shop)
    return job


async def finish(shop):
    await shop.drain()
    await shop.advance(1)
    await shop.drain()


LIFE = ["queued", "running", "retrying", "running", "succeeded"]


def words(events):
    return [event["data"]["status"] for event in events]


# -- Server-Sent Events ------------------------------------------------------------------------


async def test_a_stream_begins_at_once_and_is_not_stored(shop):
    """SSE-1: status, type, caching, and first bytes before anything has happened."""
    job = await shop.enqueue(flaky)
    stream = Sse(shop, f"/jobs/{job.id}/events")
    start = await stream.start()
    assert (start["status"], start["cache-control"]) == (200, "no-store")
    assert start["content-type"] == "text/event-stream; charset=utf-8"
    assert await stream.chunk() == b"retry: 1000\n\n"
    first = await stream.event()
    assert first["data"]["type"] == "eitherway.job.queued"


async def test_a_comment_keeps_an_idle_stream_alive(shop):
    """One line every 15 seconds, which says nothing."""
    job = await shop.enqueue(flaky)
    stream = await begun(shop, f"/jobs/{job.id}/events")
    await stream.event()
    for _ in range(3):
        await shop.advance(COMMENT_SECONDS)
        assert await stream.chunk() == b":\n\n"


async def begun(shop, url, **headers):
    """A stream past its head."""
    stream = Sse(shop, url, **headers)
    assert (await stream.start())["status"] == 200
    assert (await stream.chunk()).startswith(b"retry: ")
    return stream


async def test_a_stream_tells_a_life_and_ends_with_it(shop):
    """Every event once, in order; the end after the final one; a reconnect is told to stop."""
    job = await shop.enqueue(flaky)
    stream = await begun(shop, f"/jobs/{job.id}/events")
    events = [(await stream.event())]
    await finish(shop)
    events += [await stream.event() for _ in LIFE[1:]]
    assert words(event["data"] for event in events) == LIFE
    assert await stream.chunk() == b""
    await stream.over()
    for event in events[:-1]:
        assert "result" not in event["data"]["data"]
    last = events[-1]["id"]
    again = Sse(shop, f"/jobs/{job.id}/events", last_event_id=last)
    assert (await again.start())["status"] == 204


async def test_a_stream_goes_on_after_a_cursor(shop):
    """SSE-2: strictly after it, whether a browser or the URL names it; the header counts more."""
    job = await shop.enqueue(flaky)
    stream = await begun(shop, f"/jobs/{job.id}/events")
    await finish(shop)
    ids = [(await stream.event())["id"] for _ in LIFE]
    for place, cursor in enumerate(ids[:-1]):
        for resumed in (
            await begun(shop, f"/jobs/{job.id}/events", last_event_id=cursor),
            await begun(shop, f"/events?jobs={job.id}&after={cursor}"),
            await begun(shop, f"/events?jobs={job.id}&after=x", last_event_id=cursor),
        ):
            rest = [await resumed.event() for _ in LIFE[place + 1 :]]
            assert words(event["data"] for event in rest) == LIFE[place + 1 :]
            assert [event["id"] for event in rest] == ids[place + 1 :]
            assert await resumed.chunk() == b""


async def test_a_cursor_that_is_none_begins_again_and_says_so(shop):
    """One `reset` with the current state; what follows is told as usual."""
    job = await shop.enqueue(flaky)
    stream = await begun(shop, f"/jobs/{job.id}/events", last_event_id="no such")
    reset = await stream.event()
    assert (reset["event"], reset["data"]["data"]["status"]) == ("reset", "queued")
    await finish(shop)
    following = [await stream.event() for _ in LIFE[1:]]
    assert words(event["data"] for event in following) == LIFE[1:]
    assert not any("event" in event for event in following)


async def test_one_stream_for_several_jobs_ends_with_the_last(shop):
    """States first, and only the last of them is a place to come back to."""
    done, open_job = await finished(shop), await shop.enqueue(flaky)
    stream = await begun(shop, f"/events?jobs={done.id},{open_job.id},{done.id}")
    first, second = await stream.event(), await stream.event()
    assert words([first["data"], second["data"]]) == ["succeeded", "queued"]
    assert "id" not in first
    assert second["id"]
    await finish(shop)
    assert words([(await stream.event())["data"] for _ in LIFE[1:]]) == LIFE[1:]
    assert await stream.chunk() == b""


@pytest.mark.parametrize(
    ("url", "status", "name"),
    [
        ("/events", 400, "invalid-subscription"),
        ("/events?jobs=", 400, "invalid-subscription"),
        ("/events?jobs=a,b,c,d,e", 400, "invalid-subscription"),
        ("/events?jobs=nope", 404, "unknown-job"),
        ("/jobs/nope/events", 404, "unknown-job"),
    ],
)
async def test_what_cannot_be_followed_is_a_problem(shop, url, status, name):
    """No jobs, too many, or unknown ones: before the stream begins."""
    response = await shop.request("GET", url)
    assert (response.status, response.json()["type"]) == (status, f"/problems/{name}")


async def test_a_reader_that_goes_is_forgotten(shop):
    """The stream ends, and the log is no longer followed."""
    job = await shop.enqueue(flaky)
    stream = await begun(shop, f"/jobs/{job.id}/events")
    await stream.event()
    hub = shop.runtime.hub
    assert hub.following
    stream.hear("http.disconnect")
    await stream.over()
    assert not hub.following


# -- WebSocket ---------------------------------------------------------------------------------


async def test_a_socket_tells_what_is_subscribed(shop):
    """In the query or by frame; a finished job's final event comes at once."""
    done, new = await finished(shop), await shop.enqueue(flaky)
    socket = await connected(shop, f"/events?jobs={done.id}")
    assert words([await socket.event()]) == ["succeeded"]
    socket.say({"subscribe": [new.id, done.id]})
    assert words([await socket.event()]) == ["queued"]
    await finish(shop)
    events = [await socket.event() for _ in LIFE[1:]]
    assert words(events) == LIFE[1:]
    assert {event["subject"] for event in events} == {new.id}


async def test_a_frame_with_a_cursor_goes_on_from_there(shop):
    """And an unsubscribed job is heard of no more."""
    first = await shop.enqueue(flaky)
    socket = await connected(shop, f"/events?jobs={first.id}")
    cursor = (await socket.event())["cursor"]
    socket.say({"unsubscribe": [first.id]})
    await shop.clock.let_run()
    await finish(shop)
    assert socket.quiet
    socket.say({"subscribe": [first.id], "after": cursor})
    assert words([await socket.event() for _ in LIFE[1:]]) == LIFE[1:]


async def test_every_frame_is_a_cloudevent(shop):
    """As the SDK reads it; ids are unique, sources agree, sequences sort as text."""
    job = await finished(shop)
    socket = await connected(shop, f"/events?jobs={job.id}&after=0")
    raw = [(await socket.sent())["text"] for _ in LIFE]
    events = [JSONFormat().read(None, frame.encode()) for frame in raw]
    assert len({event.get_id() for event in events}) == len(LIFE)
    assert {event.get_source() for event in events} == {"http://testserver/jobs"}
    assert {event.get_subject() for event in events} == {job.id}
    assert {event.get_datacontenttype() for event in events} == {"application/json"}
    assert [event.get_type() for event in events] == [f"eitherway.job.{word}" for word in LIFE]
    sequences = [event.get_extension("sequence") for event in events]
    assert sequences == sorted(sequences)
    assert events[-1].get_data() == (await shop.request("GET", f"/jobs/{job.id}")).json()


async def test_a_repeated_event_keeps_its_id(shop):
    """A snapshot, the log and another transport call it the same."""
    job = await shop.enqueue(flaky)
    snapshot = await (await connected(shop, f"/events?jobs={job.id}")).event()
    logged = await (await connected(shop, f"/events?jobs={job.id}&after=0")).event()
    streamed = (await (await begun(shop, f"/jobs/{job.id}/events")).event())["data"]
    without = [{**each, "cursor": ""} for each in (snapshot, logged, streamed)]
    assert without[0] == without[1] == without[2]


async def test_progress_is_an_event_of_its_own(shop):
    """With the type that says so; at the next state the older one shows no progress."""
    job = await shop.enqueue(flaky)
    socket = await connected(shop, f"/events?jobs={job.id}")
    await socket.event()
    from eitherway.engine.values import Demand

    demand = Demand(operation="flaky", version_max=1, count=1, lease_seconds=15)
    (delivery,) = await shop.runtime.engine.receive([demand])
    await shop.advance(1)
    progress = {"fraction": 0.5, "note": "half"}
    await shop.runtime.engine.extend(
        [Extension(lease=delivery.lease, lease_seconds=15, progress=progress)]
    )
    running, told = await socket.event(), await socket.event()
    assert running["type"] == "eitherway.job.running"
    assert told["type"] == "eitherway.job.progress"
    assert told["data"]["progress"] == progress
    late = await (await connected(shop, f"/events?jobs={job.id}")).event()
    assert (late["type"], late["id"]) == (told["type"], told["id"])


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({"text": "{"}, 1008),
        ({"text": "[]"}, 1008),
        ({"text": "{}"}, 1008),
        ({"text": '{"subscribe": "a"}'}, 1008),
        ({"text": '{"subscribe": [1]}'}, 1008),
        ({"text": '{"subscribe": [""]}'}, 1008),
        ({"text": '{"subscribe": ["a"], "more": 1}'}, 1008),
        ({"text": '{"subscribe": ["a", "b", "c", "d", "e"]}'}, 1008),
        ({"text": '{"subscribe": ["nope"]}'}, 4404),
        ({"bytes": b'{"subscribe": ["a"]}'}, 1003),
        ({"bytes": b"", "text": None}, 1003),
    ],
)
async def test_a_wrong_frame_ends_the_connection(shop, frame, code):
    """With the code that says why, and a reason that fits its frame."""
    socket = await connected(shop)
    socket.hear("websocket.receive", **frame)
    closed = await socket.sent()
    assert (closed["type"], closed["code"]) == ("websocket.close", code)
    assert len(closed["reason"].encode()) <= 123
    await socket.over()


async def test_a_cursor_that_is_none_ends_the_connection(shop):
    """4410, in the query and in a frame."""
    job = await shop.enqueue(flaky)
    socket = await connected(shop, f"/events?jobs={job.id}&after=none")
    assert (await socket.sent())["code"] == 4410
    socket = await connected(shop)
    socket.say({"subscribe": [job.id], "after": "none"})
    assert (await socket.sent())["code"] == 4410


@pytest.mark.parametrize(
    ("url", "more", "status"),
    [
        ("/elsewhere", {}, 404),
        ("/events", {"offers": ()}, 400),
        ("/events", {"offers": ("chat",)}, 400),
        ("/events?jobs=a,b,c,d,e", {}, 400),
        ("/events", {"origin": "http://evil.example"}, 403),
        ("/events", {"origin": "http://testserver.evil.example"}, 403),
        ("/events", {"origin": "https://testserver"}, 403),
        ("/events", {"origin": "null"}, 403),
        ("/events", {"sec-websocket-key": "abc"}, 400),
    ],
)
async def test_a_handshake_is_refused_before_it_is_accepted(shop, url, more, status):
    """With a problem, and without naming a subprotocol."""
    socket = Socket(shop, url, **more)
    start, body = await socket.sent(), await socket.sent()
    assert (start["type"], start["status"]) == ("websocket.http.response.start", status)
    assert json.loads(body["body"])["status"] == status
    assert b"sec-websocket-protocol" not in dict(start["headers"])
    await socket.over()


async def test_a_page_of_the_same_or_a_listed_origin_may_connect(shop):
    """Exactly; a list replaces the gateway's own."""
    await connected(shop, origin="http://testserver")
    listed = shop.runtime.settings.model_copy(
        update={"allowed_origins": "https://a.example, https://b.example"}
    )
    async with TestApp(App("other"), settings=listed) as other:
        await connected(other, origin="https://b.example")
        refused = Socket(other, origin="http://testserver")
        assert (await refused.sent())["status"] == 403


async def test_connections_are_counted_over_both_transports(shop):
    """One too many is a 503; whoever leaves makes room."""
    job = await shop.enqueue(flaky)
    sockets = [await connected(shop) for _ in range(2)]
    stream = await begun(shop, f"/jobs/{job.id}/events")
    refused = await Sse(shop, f"/jobs/{job.id}/events").start()
    assert (refused["status"], refused["retry-after"]) == (503, "1")
    assert (await Socket(shop).sent())["status"] == 503
    sockets[0].hear("websocket.disconnect", code=1000)
    await sockets[0].over()
    await connected(shop)
    stream.hear("http.disconnect")
    await stream.over()
    await connected(shop)


async def test_a_slow_reader_is_let_go_and_nobody_else_notices(shop):
    """Its queue is full: 1013. The quick one next to it hears everything."""
    jobs = [await shop.enqueue(flaky, note=str(number)) for number in range(4)]
    url = f"/events?jobs={','.join(job.id for job in jobs)}"
    slow, quick = await connected(shop, url), await connected(shop, url)
    for socket in (slow, quick):
        assert words([await socket.event() for _ in jobs]) == ["queued"] * 4
    slow.free.clear()
    for _ in range(2):
        await shop.drain()
        await shop.advance(1)
    for _ in range(4 * 4):
        await quick.event()
    slow.free.set()
    assert (await slow.sent())["code"] == 1013
    await slow.over()


async def test_a_drain_sends_everybody_elsewhere(shop):
    """Sockets are closed 1012, streams end, long polls answer, and nobody new comes in."""
    job = await shop.enqueue(flaky)
    socket = await connected(shop, f"/events?jobs={job.id}")
    stream = await begun(shop, f"/jobs/{job.id}/events")
    await asyncio.gather(socket.event(), stream.event())
    poll = asyncio.ensure_future(
        shop.request("GET", f"/jobs/{job.id}", headers={"prefer": "wait=30"})
    )
    await shop.clock.let_run()
    shop.app.begin_drain()
    assert (await socket.sent())["code"] == 1012
    assert await stream.chunk() == b""
    assert (await poll).status == 200
    assert (await Socket(shop).sent())["status"] == 503


async def test_an_unavailable_store_delays_events_and_loses_none(shop, monkeypatch):
    """The tail tries again; whoever connects meanwhile is told to come back."""
    job = await shop.enqueue(flaky)
    socket = await connected(shop, f"/events?jobs={job.id}")
    await socket.event()
    engine = shop.runtime.engine
    get = engine.get
    failing = True

    async def unavailable(ids):
        if failing:
            raise EngineUnavailableError("locked")
        return await get(ids)

    await shop.drain()
    monkeypatch.setattr(engine, "get", unavailable)
    newcomer = await connected(shop, f"/events?jobs={job.id}")
    assert (await newcomer.sent())["code"] == 1013
    failing = False
    await shop.advance(1)
    await shop.drain()
    assert words([await socket.event() for _ in LIFE[1:]]) == LIFE[1:]


async def test_a_lost_log_sends_everybody_back_to_their_cursors(shop, monkeypatch):
    """What cannot be followed any more is not followed silently."""
    job = await shop.enqueue(flaky)
    socket = await connected(shop, f"/events?jobs={job.id}")
    await socket.event()
    read = shop.runtime.engine.events

    async def lost(after, wait_seconds, **more):
        if wait_seconds:
            raise EngineError("no such cursor")
        return await read(after, wait_seconds, **more)

    monkeypatch.setattr(shop.runtime.engine, "events", lost)
    await shop.drain()
    while (message := await socket.sent())["type"] == "websocket.send":
        pass  # what was read before
    assert message["code"] == 1012
    await socket.over()
    assert not shop.runtime.hub.following


async def test_events_told_while_catching_up_come_once(shop, monkeypatch):
    """However commits and reads interleave: per job in order, neither gap nor repeat."""
    engine = shop.runtime.engine
    read = engine.events

    async def busy(after, wait_seconds, *, jobs=None):
        page = await read(after, wait_seconds, jobs=jobs)
        if jobs is not None and await shop.drain() == 0:
            await shop.advance(1)
        return page

    monkeypatch.setattr(engine, "events", busy)
    job = await shop.enqueue(flaky)
    socket = await connected(shop, f"/events?jobs={job.id}&after=0")
    assert words([await socket.event() for _ in LIFE]) == LIFE
    await shop.clock.let_run()
    assert socket.quiet

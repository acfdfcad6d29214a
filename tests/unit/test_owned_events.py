"""`/events` without jobs: all of a caller's, live and from a cursor on."""

import asyncio
from dataclasses import replace

import pytest
from authed import caller, serving
from wire import Sse, connected

from eitherway.attempt.hub import read_news
from eitherway.auth import Anonymous, ApiKeys
from eitherway.engine.event_query import OwnedBy
from eitherway.gateway.push import owned


async def made(served, headers):
    return (await served.request("POST", "/queued", headers=headers)).json()["id"]


async def opened(served, url="/events", **headers):
    """A stream that has begun, and its first cursor."""
    stream = Sse(served, url, **headers)
    assert (await stream.start())["status"] == 200
    assert (await stream.chunk()).startswith(b"retry:")
    return stream, (await stream.chunk()).decode()


async def told(stream, count):
    return [await stream.event() for _ in range(count)]


def seen(events):
    return [(each["data"]["subject"], each["data"]["type"].rpartition(".")[2]) for each in events]


async def left(*streams):
    for stream in streams:
        stream.hear("http.disconnect")
        await stream.over()


async def test_a_caller_hears_of_all_their_jobs_also_of_later_ones():
    """And of no one else's: neither another caller's, nor nobody's."""
    async with serving() as served:
        ada, bob = await caller(served, "ada"), await caller(served, "bob")
        before = await made(served, ada)
        stream, _ = await opened(served, **ada)
        others, _ = await opened(served, **bob)
        one = await made(served, ada)
        await made(served, {})
        his = await made(served, bob)
        two = await made(served, ada)
        assert seen(await told(stream, 2)) == [(one, "queued"), (two, "queued")]
        assert seen(await told(others, 1)) == [(his, "queued")]
        await served.drain()
        running = seen(await told(stream, 6))
        assert {subject for subject, _ in running} == {before, one, two}
        assert [state for subject, state in running if subject == one] == ["running", "retrying"]
        await left(stream, others)
        assert not served.runtime.hub.following


async def test_a_stream_of_all_begins_with_a_cursor():
    """So that who comes back before the first event misses nothing."""
    async with serving() as served:
        ada = await caller(served, "ada")
        stream, first = await opened(served, **ada)
        assert first.startswith("id: ")
        cursor = first.removeprefix("id: ").strip()
        await left(stream)
        meanwhile = await made(served, ada)
        stream, again = await opened(served, **ada, last_event_id=cursor)
        assert again == first
        (event,) = await told(stream, 1)
        assert seen([event]) == [(meanwhile, "queued")]
        await left(stream)
        stream, _ = await opened(served, f"/events?after={event['id']}", **ada)
        later = await made(served, ada)
        assert seen(await told(stream, 1)) == [(later, "queued")]
        await left(stream)


async def test_a_lost_cursor_is_said():
    """SSE-2: `reset`, and a cursor to go on from; a socket is closed 4410."""
    async with serving() as served:
        ada = await caller(served, "ada")
        stream, first = await opened(served, "/events?after=nonsense", **ada)
        lines = first.split("\n")
        assert lines[:2] == ["event: reset", "data: {}"]
        assert lines[2].startswith("id: ")
        job_id = await made(served, ada)
        assert seen(await told(stream, 1)) == [(job_id, "queued")]
        await left(stream)
        socket = await connected(served, "/events?after=nonsense", **ada)
        assert (await socket.sent())["code"] == 4410
        await socket.over()


async def test_a_socket_without_jobs_follows_all_of_its_callers():
    """Beside jobs of nobody's that it subscribes to; a job that is both is told once."""
    async with serving() as served:
        ada = await caller(served, "ada")
        nobodys = await made(served, {})
        socket = await connected(served, **ada)
        mine = await made(served, ada)
        assert (await socket.event())["subject"] == mine
        socket.say({"subscribe": [nobodys, mine]})
        assert {(await socket.event())["subject"] for _ in range(2)} == {nobodys, mine}
        await served.drain()
        events = [await socket.event() for _ in range(4)]
        assert sorted((each["subject"], each["sequence"]) for each in events) == sorted(
            (job_id, f"{sequence:012}") for job_id in (nobodys, mine) for sequence in (2, 3)
        )
        socket.say({"unsubscribe": [nobodys, mine]})
        await served.advance(600)
        await served.drain()
        after = [await socket.event() for _ in range(2)]
        assert {each["subject"] for each in after} == {mine}
        socket.hear("websocket.disconnect", code=1000)
        await socket.over()


async def test_a_socket_that_names_jobs_hears_of_those_alone():
    async with serving() as served:
        ada = await caller(served, "ada")
        named, other = await made(served, ada), await made(served, ada)
        socket = await connected(served, f"/events?jobs={named}", **ada)
        assert (await socket.event())["subject"] == named
        await served.drain()
        assert [(await socket.event())["subject"] for _ in range(2)] == [named, named]
        assert other != named
        assert socket.quiet
        socket.hear("websocket.disconnect", code=1000)
        await socket.over()


async def test_nobody_has_to_name_jobs():
    async with serving() as served:
        answer = await served.request("GET", "/events")
        assert (answer.status, answer.json()["type"]) == (400, "/problems/invalid-subscription")
        socket = await connected(served, origin="http://testserver")
        await made(served, {})
        socket.say({"unsubscribe": ["x"]})
        assert socket.quiet
        socket.hear("websocket.disconnect", code=1000)
        await socket.over()


async def test_an_engine_that_cannot_tell_has_jobs_named(monkeypatch):
    async with serving() as served:
        ada = await caller(served, "ada")
        engine = served.runtime.engine
        unable = replace(engine.capabilities, events_by_owner=False)
        monkeypatch.setattr(type(engine), "capabilities", property(lambda _: unable))
        answer = await served.request("GET", "/events", headers=ada)
        assert (answer.status, answer.json()["type"]) == (400, "/problems/invalid-subscription")
        socket = await connected(served, **ada)
        await made(served, ada)
        socket.say({"unsubscribe": ["x"]})
        assert socket.quiet
        socket.hear("websocket.disconnect", code=1000)
        await socket.over()


async def test_nothing_is_missed_and_nothing_told_twice_while_it_catches_up():
    """A thousand events read from a cursor while a thousand more happen, for three readers."""
    async with serving([ApiKeys(), Anonymous()], push_queue_max=100_000) as served:
        ada, bob = await caller(served, "ada"), await caller(served, "bob")
        stream, first = await opened(served, **ada)
        cursor = first.removeprefix("id: ").strip()
        await left(stream)

        async def make(count):
            for _ in range(count):
                await made(served, ada)
                await made(served, bob)

        await make(300)
        making = asyncio.ensure_future(make(300))
        streams = []
        for _ in range(3):
            streams.append((await opened(served, f"/events?after={cursor}", **ada))[0])
            await asyncio.sleep(0)
        await making
        for stream in streams:
            events = await told(stream, 600)
            assert len({each["data"]["id"] for each in events}) == 600
        last = await made(served, ada)
        for stream in streams:
            assert seen(await told(stream, 1)) == [(last, "queued")]
        await left(*streams)


async def test_what_a_late_hub_tells_again_is_left_out():
    """It may be behind what a reader has read in the log: then it tells that, too."""
    async with serving() as served:
        ada = await caller(served, "ada")
        stream, first = await opened(served, **ada)
        cursor = first.removeprefix("id: ").strip()
        await left(stream)
        ids = [await made(served, ada) for _ in range(3)]
        stream, _ = await opened(served, f"/events?after={cursor}", **ada)
        assert seen(await told(stream, 3)) == [(job_id, "queued") for job_id in ids]
        engine, hub = served.runtime.engine, served.runtime.hub
        while not hub._owned:
            await asyncio.sleep(0)
        page = await engine.events(cursor, 0)
        hub._tell(await read_news(engine, page.events))
        last = await made(served, ada)
        assert seen(await told(stream, 1)) == [(last, "queued")]
        await left(stream)


async def test_what_the_hub_tells_before_the_reader_is_up_to_now_is_not_lost(monkeypatch):
    """An engine answers late: what happened since its answer was made, the hub has told by then."""
    async with serving() as served:
        ada = await caller(served, "ada")
        engine, happened = served.runtime.engine, []
        events, join = engine.events, owned.OwnedJobs.catch_up
        following = []

        async def catch_up(self, cursor, tell):
            following.append(self)
            await join(self, cursor, tell)

        async def late(after, wait_seconds, *, jobs=None):
            page = await events(after, wait_seconds, jobs=jobs)
            if isinstance(jobs, OwnedBy) and following and not happened:
                happened.append(await made(served, ada))
                while not following[0].missed:
                    await asyncio.sleep(0)
            return page

        monkeypatch.setattr(owned.OwnedJobs, "catch_up", catch_up)
        monkeypatch.setattr(engine, "events", late)
        stream, _ = await opened(served, **ada)
        assert seen(await told(stream, 1)) == [(happened[0], "queued")]
        await left(stream)


async def test_what_is_remembered_is_bounded(monkeypatch):
    monkeypatch.setattr(owned, "_SEEN_MAX", 5)
    async with serving() as served:
        ada = await caller(served, "ada")
        feeds = []
        original = owned.OwnedJobs.__init__
        monkeypatch.setattr(
            owned.OwnedJobs,
            "__init__",
            lambda self, *args: (feeds.append(self), original(self, *args))[1],
        )
        stream, _ = await opened(served, **ada)
        ids = [await made(served, ada) for _ in range(20)]
        assert seen(await told(stream, 20)) == [(job_id, "queued") for job_id in ids]
        (feed,) = feeds
        assert len(feed._seen) == 5
        await left(stream)


@pytest.mark.parametrize("kind", ["stream", "socket"])
async def test_a_deleted_job_is_told_of_no_more(kind):
    """Whoever comes back with an old cursor hears of what is there."""
    async with serving() as served:
        ada = await caller(served, "ada")
        stream, first = await opened(served, **ada)
        await left(stream)
        after = f"/events?after={first.removeprefix('id: ').strip()}"
        gone, kept = await made(served, ada), await made(served, ada)
        await served.request("DELETE", f"/jobs/{gone}", headers=ada)
        await served.advance(61)
        assert (await served.request("DELETE", f"/jobs/{gone}", headers=ada)).status == 204
        if kind == "stream":
            stream, _ = await opened(served, after, **ada)
            assert seen(await told(stream, 1)) == [(kept, "queued")]
            await left(stream)
        else:
            socket = await connected(served, after, **ada)
            assert (await socket.event())["subject"] == kept
            socket.hear("websocket.disconnect", code=1000)
            await socket.over()

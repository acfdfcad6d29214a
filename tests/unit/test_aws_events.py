"""Readers of the log on AWS that are far behind: what they ask for stands after much of others."""

import asyncio

import pytest
from wire import Sse, connected

from eitherway import App
from eitherway.engine.conformance.harness import as_time_passes
from eitherway.engine.event_query import EventPage
from eitherway.engine.loader import load_engine
from eitherway.engine.values import Event
from eitherway.engines.aws import stream
from eitherway.errors import EngineError
from eitherway.ids import Randomness
from eitherway.job import JobState
from eitherway.testing import TestApp

pytestmark = pytest.mark.slow

OTHERS = 10

app = App("far")


@app.operation()
async def place() -> str:
    return "placed"


@pytest.fixture(autouse=True)
def short_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """So few records that one call reads eight of them, rather than a thousand."""
    monkeypatch.setattr(stream, "RECORDS", 2)


@pytest.fixture
async def shop(stack_url: str):
    async with TestApp(app, engine=stack_url) as test:
        yield test


async def left_behind(shop) -> tuple[str, str]:
    """A job that has ended, and a cursor from before much of others, and its end."""
    job = await shop.enqueue(place)
    cursor = (await shop.runtime.engine.events(None, 0)).cursor
    for _ in range(OTHERS):
        await shop.enqueue(place)
    await shop.drain()
    return job.id, cursor


async def test_a_stream_that_comes_back_is_told_of_the_end(shop) -> None:
    job, cursor = await left_behind(shop)
    back = Sse(shop, f"/jobs/{job}/events", last_event_id=cursor)
    assert (await back.start())["status"] == 200
    assert (await back.chunk()).startswith(b"retry: ")
    told = [await back.event() for _ in range(2)]
    assert [each["data"]["data"]["status"] for each in told] == ["running", "succeeded"]
    assert await back.chunk() == b""
    await back.over()


async def test_a_socket_that_comes_back_is_told_of_the_end(shop) -> None:
    job, cursor = await left_behind(shop)
    socket = await connected(shop, f"/events?jobs={job}&after={cursor}")
    told = [await socket.event() for _ in range(2)]
    assert [each["data"]["status"] for each in told] == ["running", "succeeded"]


async def test_who_was_told_of_the_end_is_not_told_again(shop) -> None:
    """A 204, once the log has had its time to say more."""
    job, cursor = await left_behind(shop)
    engine = shop.runtime.engine
    _, end = await read_out(engine, cursor, [job])
    back = Sse(shop, f"/jobs/{job}/events", last_event_id=end)
    started = asyncio.ensure_future(back.start())
    answered = await as_time_passes(shop.clock, started, engine.capabilities.events_lag_seconds + 1)
    assert answered["status"] == 204


async def test_an_end_that_the_log_tells_of_late_is_waited_for(shop, monkeypatch) -> None:
    """DynamoDB's stream comes after its table: a record says that it is over, the log not yet."""
    job = await shop.enqueue(place)
    cursor = (await shop.runtime.engine.events(None, 0)).cursor
    await shop.drain()
    late = Late(monkeypatch)
    for url in (f"/jobs/{job.id}/events", f"/events?jobs={job.id}"):
        late.holds = True
        back = Sse(shop, url, last_event_id=cursor)
        started = asyncio.ensure_future(back.start())
        await late.asked.wait()
        late.holds = False
        assert (await as_time_passes(shop.clock, started, 5))["status"] == 200
        assert (await back.chunk()).startswith(b"retry: ")
        told = [await as_time_passes(shop.clock, asyncio.ensure_future(back.event()), 5)]
        told.append(await back.event())
        assert [each["data"]["data"]["status"] for each in told] == ["running", "succeeded"]
        assert await back.chunk() == b""


async def test_an_open_stream_waits_for_a_late_end(shop, monkeypatch) -> None:
    """It began because the log was not read out; now it is, but the end is not in it yet."""
    job = await shop.enqueue(place)
    cursor = (await shop.runtime.engine.events(None, 0)).cursor
    await shop.drain()
    read, asked = shop.runtime.engine.events, 0

    async def late(after, wait_seconds, *, jobs=None):
        nonlocal asked
        if jobs is None or (asked and wait_seconds):
            return await read(after, wait_seconds, jobs=jobs)
        asked += 1
        return EventPage(events=(), cursor=after, is_end=asked > 1)

    monkeypatch.setattr(shop.runtime.engine, "events", late)
    back = Sse(shop, f"/jobs/{job.id}/events", last_event_id=cursor)
    assert (await back.start())["status"] == 200
    assert (await back.chunk()).startswith(b"retry: ")
    told = [await back.event() for _ in range(2)]
    assert [each["data"]["data"]["status"] for each in told] == ["running", "succeeded"]


@pytest.mark.parametrize("knows", [True, False], ids=["by time", "from the beginning"])
async def test_the_cursor_of_now_is_taken_up_by_another_process(
    shop, stack_url: str, monkeypatch, knows: bool
) -> None:
    """In a log too long to be read for it: by its time, where boto3 and AWS know how."""
    monkeypatch.setattr(stream, "_CLOCKS_SECONDS", 0)
    for _ in range(OTHERS):
        await shop.enqueue(place)
    cursor = (await shop.runtime.engine.events(None, 0)).cursor
    assert ":@" in cursor
    job = await shop.enqueue(place)
    if not knows:
        iterator = stream.Stream._iterator

        async def older(log: stream.Stream, shard: str, **where) -> str:
            if "Timestamp" in where:
                raise EngineError("boto3 does not send it")
            return await iterator(log, shard, **where)

        monkeypatch.setattr(stream.Stream, "_iterator", older)
    other = load_engine(stack_url, clock=shop.clock, randomness=Randomness())
    await other.open()
    page = await other.events(cursor, 0)
    assert page.is_end is False
    assert [event.job_id for event in page.events] == ([job.id] if knows else [])
    events, _ = await read_out(other, cursor, None)
    assert [(each.job_id, each.state) for each in events] == [(job.id, JobState.QUEUED)]
    await other.close()


async def test_a_page_says_whether_the_log_was_read_out(shop) -> None:
    """A call reads so much and no more; whoever goes on comes to the end."""
    job, cursor = await left_behind(shop)
    engine = shop.runtime.engine
    page = await engine.events(cursor, 0, jobs=[job])
    assert (page.events, page.is_end) == ([], False)
    events, _ = await read_out(engine, cursor, [job])
    assert [event.state for event in events] == [JobState.RUNNING, JobState.SUCCEEDED]


async def read_out(engine, cursor: str, jobs: list[str] | None) -> tuple[list[Event], str]:
    """All events of these jobs after a cursor, or of all of them, and the cursor after that."""
    found: list[Event] = []
    is_end = False
    while not is_end:
        page = await engine.events(cursor, 0, jobs=jobs)
        found += page.events
        cursor, is_end = page.cursor, page.is_end
    return found, cursor


class Late:
    """A stream that has nothing new while it `holds`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.holds = False
        self.asked = asyncio.Event()
        read = stream.Stream.read

        async def read_late(log: stream.Stream, shard: str, place: str) -> stream.Piece:
            if self.holds:
                self.asked.set()
                return stream.Piece(place, is_last=True)
            return await read(log, shard, place)

        monkeypatch.setattr(stream.Stream, "read", read_late)

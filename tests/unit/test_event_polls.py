"""Streams where nobody follows the log, as in functions: each answer tells what has moved."""

from dataclasses import replace
from typing import Any

import pytest
from wire import Sse

from eitherway import App, Context, Retry
from eitherway.attempt.polling import PollingWatcher
from eitherway.errors import EngineUnavailableError
from eitherway.testing import TestApp

app = App("polls")


@app.operation(retry=Retry(attempts=2, base_seconds=1, jitter="none"))
async def flaky(ctx: Context) -> str:
    if ctx.attempt < 2:
        raise RuntimeError("again")
    return "done"


@pytest.fixture
async def shop():
    async with TestApp(app, seed=4) as opened:
        runtime = opened.runtime
        runtime.watcher = PollingWatcher(runtime.engine, runtime.hub, runtime.clock)
        yield opened


async def begun(shop, url, **headers):
    """A stream past its head."""
    stream = Sse(shop, url, **headers)
    start = await stream.start()
    assert (start["status"], start["content-type"].split(";")[0]) == (200, "text/event-stream")
    assert await stream.chunk() == b"retry: 1000\n\n"
    return stream


async def test_each_answer_tells_how_the_job_is_once_that_has_moved(shop):
    """The reader comes back with the cursor, and hears nothing twice; at the end it is let go."""
    job = await shop.enqueue(flaky)
    url = f"/jobs/{job.id}/events"
    stream = await begun(shop, url)
    first = await stream.event()
    assert await stream.chunk() == b""
    assert (first["data"]["subject"], first["data"]["type"]) == (job.id, "eitherway.job.queued")
    assert first["data"]["cursor"] == first["id"]
    waiting = await begun(shop, url, last_event_id=first["id"])
    await shop.drain()  # the first attempt fails
    await shop.advance(1)
    second = await waiting.event()
    assert second["data"]["type"] == "eitherway.job.retrying"
    assert int(second["data"]["sequence"]) > int(first["data"]["sequence"])
    await shop.drain()
    last = await (await begun(shop, url, last_event_id=second["id"])).event()
    assert (last["data"]["type"], last["data"]["data"]["result"]) == (
        "eitherway.job.succeeded",
        "done",
    )
    assert (await Sse(shop, url, last_event_id=last["id"]).start())["status"] == 204


async def test_several_jobs_have_one_cursor(shop):
    """The last event of an answer has it, and it stands for all of them."""
    one, other = await shop.enqueue(flaky), await shop.enqueue(flaky)
    url = f"/events?jobs={one.id},{other.id}"
    stream = await begun(shop, url)
    first, second = await stream.event(), await stream.event()
    assert await stream.chunk() == b""
    assert ("id" in first, "id" in second) == (False, True)
    assert {each["data"]["subject"] for each in (first, second)} == {one.id, other.id}
    await shop.runtime.canceler.cancel([other.id])
    stream = await begun(shop, url, last_event_id=second["id"])
    moved = await stream.event()
    assert (moved["data"]["subject"], moved["data"]["data"]["status"]) == (other.id, "canceled")
    assert await stream.chunk() == b""


async def test_a_cursor_that_is_none_begins_again_and_says_so(shop):
    job = await shop.enqueue(flaky)
    stream = await begun(shop, f"/jobs/{job.id}/events", last_event_id="no such")
    reset = await stream.event()
    assert (reset["event"], reset["data"]["data"]["status"]) == ("reset", "queued")


async def test_a_job_without_a_record_is_waited_for_where_one_may_come(shop, monkeypatch):
    """A queue has it: its receipt says since when. Others are unknown, as anywhere."""
    engine = shop.runtime.engine
    able = replace(engine.capabilities, unrecorded_seconds=3600.0)
    monkeypatch.setattr(type(engine), "capabilities", property(lambda _: able))
    later = await shop.enqueue(flaky)
    get: Any = engine.get
    there: list[str] = []

    async def seen(ids):
        return [record if record and record.id in there else None for record in await get(ids)]

    monkeypatch.setattr(engine, "get", seen)
    url = f"/jobs/{later.id}/events"
    accepted = f"?accepted={shop.runtime.clock.now() * 1000:.0f}"
    assert (await Sse(shop, url).start())["status"] == 404
    stream = await begun(shop, url + accepted)
    there.append(later.id)  # a worker has taken it
    await shop.advance(1)
    assert (await stream.event())["data"]["subject"] == later.id


async def test_a_store_that_is_away_ends_an_answer_that_has_begun(shop, monkeypatch):
    """An error would be the end for a browser, which comes back after an answer."""
    job = await shop.enqueue(flaky)
    first = await (await begun(shop, f"/jobs/{job.id}/events")).event()
    waiting = await begun(shop, f"/jobs/{job.id}/events", last_event_id=first["id"])

    async def away(_):
        raise EngineUnavailableError("no more reads for now")

    monkeypatch.setattr(shop.runtime.engine, "get", away)
    await shop.advance(1)
    assert await waiting.chunk() == b""
    await waiting.over()


async def test_a_repeat_s_stream_tells_of_the_first_job(shop, monkeypatch):
    """An id of its own finds the first job's record, and so its events."""
    first = await shop.enqueue(flaky)
    get: Any = shop.runtime.engine.get

    async def found(ids):
        return await get([first.id if each == "repeat" else each for each in ids])

    monkeypatch.setattr(shop.runtime.engine, "get", found)
    stream = await begun(shop, "/jobs/repeat/events")
    event = await stream.event()
    assert event["data"]["subject"] == first.id
    assert await stream.chunk() == b""
    again = await begun(shop, "/jobs/repeat/events", last_event_id=event["id"])
    await shop.drain()
    await shop.advance(1)
    assert (await again.event())["data"]["subject"] == first.id

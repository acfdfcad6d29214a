"""Callbacks: the end of a job is told to who asked for it, signed, again and again if need be."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from called_back import OTHER, SECRET, ask, callbacks, shop_for
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from standardwebhooks import Webhook, WebhookVerificationError
from wire import Sse

from eitherway import App, Reject
from eitherway.engine.listing import JobFilter
from eitherway.job import JobState
from eitherway.testing import Crash, TestApp
from sink import HANG, Sink


async def test_the_end_of_a_job_is_told():
    """As the CloudEvent that push has, structured, with the job's id and its result."""
    async with Sink() as sink, shop_for(sink) as shop:
        job = (await ask(shop, sink.url)).json()
        await shop.drain()
        (got,) = sink.received
        document = (await shop.request("GET", f"/jobs/{job['id']}")).json()
    assert got.line == "POST /hook HTTP/1.1"
    assert got.headers["content-type"] == "application/cloudevents+json"
    event = JSONFormat().read(CloudEvent, got.body)
    assert (event.get_type(), event.get_subject()) == ("eitherway.job.succeeded", job["id"])
    assert event.get_source() == "http://testserver/jobs"
    assert got.event["id"] == got.headers["webhook-id"] == f"{job['id']}-3"
    assert got.event["data"] == document
    assert document["result"] == "hi"


async def test_push_and_callback_tell_the_same():
    """The same CloudEvent, but for the cursor that only a stream has."""
    async with Sink() as sink, shop_for(sink) as shop:
        job = (await ask(shop, sink.url)).json()
        await shop.drain()
        stream = Sse(shop, f"/jobs/{job['id']}/events")
        await stream.start()
        await stream.chunk()
        pushed = (await stream.event())["data"]
    assert {**sink.received[0].event, "cursor": pushed.get("cursor")} == {"cursor": None, **pushed}


@pytest.mark.parametrize(
    ("path", "state"),
    [
        ("/echo?text=bad", "failed"),
        ("/echo?text=broken", "failed"),
        ("/either?text=hi", "succeeded"),
    ],
)
async def test_every_way_to_end_is_told(path, state):
    async with Sink() as sink, shop_for(sink) as shop:
        await ask(shop, sink.url, path, prefer="respond-async")
        await shop.drain()
    (got,) = sink.received
    assert got.event["type"] == f"eitherway.job.{state}"


async def test_a_cancel_is_told_once():
    async with Sink() as sink, shop_for(sink) as shop:
        job = (await ask(shop, sink.url)).json()
        for _ in range(2):
            assert (await shop.request("DELETE", f"/jobs/{job['id']}")).status == 200
        await shop.drain()
    (got,) = sink.received
    assert got.event["type"] == "eitherway.job.canceled"


async def test_a_deadline_that_passes_is_told():
    """By the reaper, which holds no message of the job."""
    async with Sink() as sink, shop_for(sink) as shop:
        await ask(shop, sink.url)
        await shop.advance(5 * 86_400)
        await shop.drain()
    (got,) = sink.received
    assert got.event["data"]["error"]["kind"] == "expired"


async def test_a_batch_is_told_job_by_job():
    app = App("shop")

    @app.post("/many", delivery="queued", callbacks=True, batch_max=10)
    async def many(texts: list[str]) -> list[str | Exception]:
        return [Reject("no") if text == "b" else text for text in texts]

    async with Sink() as sink, shop_for(sink, app=app) as shop:
        for text in "abc":
            await shop.request("POST", "/many", json=text, headers={"callback-url": sink.url})
        await shop.drain()
    assert sorted(got.event["data"]["status"] for got in sink.received) == [
        "failed",
        "succeeded",
        "succeeded",
    ]


async def test_a_call_that_becomes_a_job_is_told():
    """Promoted while it runs; a call that is answered at once makes no job, and no callback."""
    app, begun, go = App("shop"), asyncio.Event(), asyncio.Event()

    @app.post("/slow", delivery="auto", callbacks=True)
    async def slow() -> str:
        begun.set()
        await go.wait()
        return "done"

    async with Sink() as sink, shop_for(sink, app=app) as shop:
        asking = asyncio.ensure_future(ask(shop, sink.url, "/slow", prefer="wait=1"))
        await begun.wait()
        await shop.advance(1)
        job = (await asking).json()
        go.set()
        await shop.request("GET", f"/jobs/{job['id']}", headers={"prefer": "wait=5"})
        await shop.drain()
        assert [got.event["data"]["result"] for got in sink.received] == ["done"]
        assert (await ask(shop, sink.url, "/slow")).status == 200
        await shop.drain()
        assert len(sink.received) == 1


async def test_the_middleware_of_the_app_is_not_for_callbacks():
    """It may refuse what it does not know, or look for what only the app's own jobs have."""
    seen = []

    async def middleware(ctx, proceed):
        seen.append(ctx.operation)
        return await proceed()

    app = App("shop", middleware=[middleware])

    @app.post("/echo", delivery="queued", callbacks=True)
    async def echo(text: str) -> str:
        return text

    async with Sink() as sink, shop_for(sink, app=app) as shop:
        await ask(shop, sink.url)
        await shop.drain()
    assert len(sink.received) == 1
    assert seen == ["echo"]


async def test_what_was_redriven_is_told_again_under_another_id():
    async with Sink() as sink, shop_for(sink) as shop:
        job = (await ask(shop, sink.url, "/echo?text=broken")).json()
        await shop.drain()
        await redrive(shop, job["id"])
        await shop.drain()
    first, second = sink.received
    assert first.event["id"] != second.event["id"]
    assert {each.event["subject"] for each in sink.received} == {job["id"]}


async def redrive(shop, *ids):
    shop.app.bound_to("127.0.0.1")
    response = await shop.request(
        "POST", "/admin/dead/redrive", json={"ids": list(ids)}, headers={"host": "localhost"}
    )
    assert response.status == 200, response.body


# -- trust ---------------------------------------------------------------------------------------


def signed(got, secret=SECRET) -> bool:
    moment = datetime.fromtimestamp(int(got.headers["webhook-timestamp"]), UTC)
    wanted = Webhook(secret).sign(got.headers["webhook-id"], moment, got.body.decode())
    return wanted in got.headers["webhook-signature"].split(" ")


async def test_a_body_is_signed_with_every_secret():
    """Both while they rotate: what was sent is what is signed, and nothing else is."""
    async with Sink() as sink, shop_for(sink, secrets=f"{SECRET},{OTHER}") as shop:
        await ask(shop, sink.url)
        await shop.drain()
    (got,) = sink.received
    assert got.headers["webhook-signature"].count("v1,") == 2
    assert signed(got, SECRET)
    assert signed(got, OTHER)
    got.body = got.body.replace(b"succeeded", b"exploded.")
    assert not signed(got)


async def test_an_endpoint_may_have_a_secret_of_its_own():
    """The longest beginning of its URL counts; the common one signs what else there is."""
    async with Sink() as own, Sink() as common:
        secrets = f"{SECRET} {own.url}={OTHER}"
        async with shop_for(own, common, secrets=secrets) as shop:
            await ask(shop, own.url)
            await ask(shop, common.url)
            await shop.drain()
    assert (signed(own.received[0], OTHER), signed(own.received[0], SECRET)) == (True, False)
    assert (signed(common.received[0], OTHER), signed(common.received[0], SECRET)) == (False, True)


async def test_an_attempt_keeps_the_id_and_renews_the_rest():
    """WH-2; and a receiver that holds to five minutes takes each at its own time."""
    async with Sink(500, 200) as sink, shop_for(sink) as shop:
        await ask(shop, sink.url)
        await shop.drain()
        await shop.advance(600)
        await shop.drain()
    first, second = sink.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]
    assert first.body == second.body
    assert signed(first)
    assert signed(second)
    with pytest.raises(WebhookVerificationError):  # it is of another time than now
        Webhook(SECRET).verify(first.body, first.headers)


async def test_the_trace_goes_along():
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    async with Sink() as sink, shop_for(sink) as shop:
        engine = shop.runtime.engine
        job = shop.runtime.new_job(shop.runtime.operations.named("echo"), ("hi",), {})
        callback = json.dumps({"url": sink.url, "jobs_url": "http://testserver/jobs"})
        await engine.accept([replace(job, callback=callback, traceparent=trace, tracestate="a=1")])
        await shop.drain()
    assert sink.received[0].headers["traceparent"] == trace
    assert sink.received[0].headers["tracestate"] == "a=1"


async def test_a_large_result_is_left_to_its_link():
    async with Sink() as sink, shop_for(sink) as shop:
        job = (await ask(shop, sink.url, "/echo?text=0123456789&times=5000")).json()
        await shop.drain()
    (got,) = sink.received
    assert len(got.body) <= 20_000
    assert "result" not in got.event["data"]
    assert got.event["data"]["links"]["result"] == f"http://testserver/jobs/{job['id']}/result"


# -- what an endpoint answers --------------------------------------------------------------------


async def due_in(shop: TestApp) -> float:
    """How long until the one callback is tried again."""
    (waiting,) = await callbacks(shop, JobState.RETRYING)
    return waiting.due - shop.clock.now()


@pytest.mark.parametrize("status", [500, 404, 301, 302, 307, 400, 100])
async def test_only_2xx_is_success(status):
    """And a redirect is not followed: where it leads is nobody's to say."""
    async with (
        Sink() as elsewhere,
        Sink((status, {"location": elsewhere.url}), 200) as sink,
        shop_for(sink, elsewhere) as shop,
    ):
        await ask(shop, sink.url)
        await shop.drain()
        assert 2.5 <= await due_in(shop) <= 5
        await shop.advance(5)
        await shop.drain()
        assert [job.state for job in await callbacks(shop)] == [JobState.SUCCEEDED]
    assert len(set(sink.ids)) == 1
    assert len(sink.received) == 2
    assert elsewhere.connections == 0


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_an_endpoint_that_is_overloaded_is_asked_more_slowly(status):
    async with Sink(status) as sink, shop_for(sink) as shop:
        await ask(shop, sink.url)
        await shop.drain()
        assert await due_in(shop) >= 60


@pytest.mark.parametrize("given", ["seconds", "date"])
async def test_retry_after_is_respected(given):
    """In seconds or as a date; for every other job's callback to that URL, too."""
    async with Sink((429, {}), 200) as sink, shop_for(sink) as shop:
        moment = datetime.fromtimestamp(shop.clock.now() + 3600, UTC)
        value = "3600" if given == "seconds" else format_datetime(moment, usegmt=True)
        sink.answers[0] = (429, {"retry-after": value})
        await ask(shop, sink.url)
        await shop.drain()
        assert await due_in(shop) == pytest.approx(3600)
        await ask(shop, sink.url)
        await shop.drain()
        await shop.advance(1800)
        await shop.drain()
        assert len(sink.received) == 1
        for _ in range(4):
            await shop.advance(1800)
            await shop.drain()
        assert len(sink.received) == 3
        assert [(job.state, job.attempt) for job in await callbacks(shop)] == [
            (JobState.SUCCEEDED, 1),  # it was held back, which does not count
            (JobState.SUCCEEDED, 2),
        ]


async def test_retry_after_has_a_bound():
    async with Sink((503, {"retry-after": "99999999999999999999"})) as sink, shop_for(sink) as shop:
        await ask(shop, sink.url)
        await shop.drain()
        assert await due_in(shop) == pytest.approx(86_400)


async def test_410_ends_it_and_disables_the_endpoint():
    """No retry and no dead letter; later callbacks make no connection, for as long as is said."""
    async with Sink(410, 200) as sink, shop_for(sink) as shop:
        for _ in range(2):
            await ask(shop, sink.url)
            await shop.drain()
            await shop.advance(3600)
        assert sink.connections == 1
        assert {(job.state, job.kind) for job in await callbacks(shop)} == {("failed", "rejected")}
        await shop.advance(7 * 86_400)
        await ask(shop, sink.url)
        await shop.drain()
    assert sink.connections == 2


async def test_an_endpoint_that_says_nothing_has_15_seconds():
    async with Sink(HANG, 200) as sink, shop_for(sink) as shop:
        await ask(shop, sink.url)
        draining = asyncio.ensure_future(shop.drain())
        await sink.got(1)
        await shop.advance(14.9)
        assert not draining.done()
        await shop.advance(0.2)
        await draining
        (job,) = await callbacks(shop)
        assert [attempt.outcome for attempt in job.attempts] == ["timed_out"]
        await shop.advance(5)
        await shop.drain()
    assert len(set(sink.ids)) == 1
    assert len(sink.received) == 2


async def test_a_success_whose_body_never_ends_is_a_success():
    """The status says it all: two seconds are given to the rest."""
    async with Sink((200, {"content-length": "1000000"})) as sink, shop_for(sink) as shop:
        await ask(shop, sink.url)
        draining = asyncio.ensure_future(shop.drain())
        await sink.got(1)
        await asyncio.wait({draining, asyncio.ensure_future(moving(shop, draining))})
        assert [job.state for job in await callbacks(shop)] == [JobState.SUCCEEDED]


async def moving(shop, until):
    """Let the time pass until something has ended."""
    while not until.done():
        await shop.advance(0.1)
        await asyncio.get_running_loop().run_in_executor(None, lambda: None)


async def test_what_is_exhausted_is_a_dead_letter_that_can_be_sent_again():
    """20 attempts over days, then listed with its cause; redriven, it is the same event."""
    async with Sink(500) as sink, shop_for(sink) as shop:
        begun = shop.clock.now()
        await ask(shop, sink.url)
        for _ in range(30 * 4):
            await shop.drain()
            await shop.advance(3600)
        (dead,) = await callbacks(shop)
        assert (dead.state, dead.kind, dead.attempt) == ("failed", "exhausted", 20)
        assert dead.cause == "asked to retry later: # answered # Internal Server Error"
        assert 1.7 * 86_400 < dead.finished - begun < 3.5 * 86_400
        assert len(sink.received) == 20
        sink.answers = [200]
        await redrive(shop, dead.id)
        await shop.drain()
        assert [job.state for job in await callbacks(shop)] == [JobState.SUCCEEDED]
    assert len(set(sink.ids)) == 1
    assert len({got.body for got in sink.received}) == 1


async def test_a_slow_endpoint_holds_nobody_else_up():
    """At most 8 at once go to one host: the others of it wait, those of other hosts do not."""
    async with Sink(HANG) as slow, Sink() as fast, shop_for(slow, fast) as shop:
        for _ in range(20):
            await ask(shop, slow.url)
        await ask(shop, fast.url)
        draining = asyncio.ensure_future(shop.drain())
        await fast.got(1)
        await slow.got(8)
        assert slow.connections == 8
        slow.answers = [200]
        while not draining.done():
            await moving(shop, draining)
        assert slow.connections > 8


# -- crashes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "step", ["settle.begun", "settle.items", "settle.written", "settle.committed", "settle.woken"]
)
async def test_a_crash_around_the_end_neither_loses_nor_doubles_it(step):
    async with Sink() as sink, shop_for(sink) as shop:
        await ask(shop, sink.url)
        shop.crash_at(step)
        with pytest.raises(Crash):
            await shop.drain()
        for _ in range(3):
            await shop.advance(20)
            await shop.drain()
    assert len(set(sink.ids)) == len(sink.received) == 1


async def test_a_job_that_is_deleted_before_its_event_is_written_is_a_dead_letter():
    """It says so, rather than be silent about it."""
    async with Sink() as sink, shop_for(sink) as shop:
        job = (await ask(shop, sink.url, "/echo?text=broken")).json()
        await shop.runtime.engine.pause(["eitherway.event"], paused=True)
        await shop.drain()
        await shop.runtime.engine.discard([job["id"]])
        await shop.runtime.engine.pause(["eitherway.event"], paused=False)
        await shop.drain()
        (dead,) = (await shop.runtime.engine.list(JobFilter(dead=True), None, 9)).jobs
    assert dead.operation == "eitherway.event"
    assert "not kept any more" in dead.cause
    assert sink.connections == 0

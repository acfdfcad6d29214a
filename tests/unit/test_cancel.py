"""Jobs ended by their owner: `DELETE /jobs/{id}`, and what runs of them."""

import asyncio
import threading

import pytest
from wire import connected

from eitherway import App, Context, JobFailedError, Limit, Retry, UnknownJobError
from eitherway.attempt.cancel import Canceler
from eitherway.attempt.leases import LeaseKeeper
from eitherway.attempt.telling import Telling
from eitherway.engine.conformance.samples import a_redrive
from eitherway.ids import Randomness
from eitherway.job import JobState, Outcome


def slow(**policies):
    """An app with an operation that runs until it is canceled, and what it saw."""
    app = App("slow")
    notes = app.table("notes", dict, key="key")
    seen = {"started": asyncio.Event(), "ended": []}

    @app.post("/work", delivery="queued", **policies)
    async def work(ctx: Context) -> str:
        await notes.put({"key": ctx.job_id})
        seen["started"].set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen["ended"].append(ctx.canceled)
            raise
        return "done"

    return app, work, notes, seen


async def delete(shop, job):
    return await shop.request("DELETE", f"/jobs/{job.id}")


async def running(shop, seen):
    """The worker, busy with the job."""
    drain = asyncio.create_task(shop.drain())
    await seen["started"].wait()
    return drain


async def test_a_handle_cancels_its_job(test_app):
    """True where that ended it, waiting or running; False, and nothing done, where it had ended."""
    app, work, notes, seen = slow()
    async with test_app(app) as shop:
        waiting = await shop.enqueue(work)
        assert await waiting.cancel()
        assert not await waiting.cancel()
        job = await shop.enqueue(work)
        drain = await running(shop, seen)
        assert await job.cancel()
        await drain
        assert (await job.status(), await waiting.status()) == (JobState.CANCELED,) * 2
        assert seen["ended"] == [True]
        with pytest.raises(JobFailedError, match="canceled"):
            await job.result()
        assert await notes.get(job.id, None) is None
        with pytest.raises(UnknownJobError):
            await shop.runtime.handle(shop.runtime.operations.of(work), "nope").cancel()


async def test_a_queued_job_is_canceled_and_never_runs(test_app):
    """200 with the document; the handler is not called. Repeated, the same (JOB-8)."""
    app, work, *_ = slow()
    async with test_app(app) as shop:
        job = await shop.enqueue(work)
        first, second = await delete(shop, job), await delete(shop, job)
        assert (first.status, second.status) == (200, 200)
        assert first.body == second.body
        document = first.json()
        assert (document["status"], document["done"], document["attempts"]) == (
            "canceled",
            True,
            [],
        )
        assert document["links"]["cancel"] == document["links"]["self"]
        assert document["expires"] is not None
        assert "retry-after" not in first.headers
        assert (
            first.headers["etag"] == (await shop.request("GET", f"/jobs/{job.id}")).headers["etag"]
        )
        assert await shop.drain() == 0
        with pytest.raises(JobFailedError, match="canceled"):
            await job.result(0)


async def test_a_running_attempt_is_stopped_and_commits_nothing(test_app):
    """The handler is cancelled with `ctx.canceled` set; the attempt ends `canceled`."""
    app, work, notes, seen = slow()
    async with test_app(app) as shop:
        job = await shop.enqueue(work)
        drain = await running(shop, seen)
        document = (await delete(shop, job)).json()
        assert document["status"] == "canceled"
        assert [attempt["outcome"] for attempt in document["attempts"]] == ["canceled"]
        assert await drain == 1
        assert seen["ended"] == [True]
        record = await job.record()
        assert (record.state, record.attempts[-1].outcome) == (JobState.CANCELED, Outcome.CANCELED)
        assert await notes.get(job.id, None) is None


async def test_its_place_is_free_when_it_returns(test_app):
    """And once: the limit counts nothing afterwards, and the next job runs."""
    app, work, _, seen = slow(limit=Limit("one", in_flight=1))
    async with test_app(app) as shop:
        first, second = await shop.enqueue(work), await shop.enqueue(work)
        drain = await running(shop, seen)
        seen["started"].clear()
        await delete(shop, first)
        await seen["started"].wait()
        (use,) = await shop.runtime.engine.limits(["one"])
        assert use.running == 1
        await delete(shop, second)
        await drain
        (use,) = await shop.runtime.engine.limits(["one"])
        assert (use.running, use.held) == (0, 0)


async def test_a_handler_that_ends_all_the_same_commits_nothing(test_app):
    """Whoever swallows the cancellation has its result and its writes refused."""
    app = App("stubborn")
    notes = app.table("notes", dict, key="key")
    started = asyncio.Event()

    @app.post("/work", delivery="queued", limit=Limit("one", in_flight=1))
    async def work(ctx: Context) -> str:
        await notes.put({"key": "kept"})
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "all the same"
        return ""

    async with test_app(app) as shop:
        job = await shop.enqueue(work)
        drain = asyncio.create_task(shop.drain())
        await started.wait()
        await delete(shop, job)
        await drain
        assert await job.status() is JobState.CANCELED
        assert await notes.get("kept", None) is None
        (use,) = await shop.runtime.engine.limits(["one"])
        assert use.running == 0


async def test_a_plain_handler_keeps_its_place_until_its_thread_returns(test_app):
    """It is told by `ctx.canceled`; the limit counts it for as long as it works."""
    app = App("plain")
    started, go = threading.Event(), threading.Event()
    told = []

    @app.post("/work", delivery="queued", limit=Limit("one", in_flight=1))
    def work(ctx: Context) -> None:
        started.set()
        go.wait(10)
        told.append(ctx.canceled)

    async with test_app(app) as shop:
        job = await shop.enqueue(work)
        drain = asyncio.create_task(shop.drain())
        await asyncio.to_thread(started.wait, 10)
        await delete(shop, job)
        (held,) = shop._leases.held()
        assert held.context is not None
        thread = held.context.thread
        await drain
        (use,) = await shop.runtime.engine.limits(["one"])
        assert (use.running, use.held) == (0, 1)
        go.set()
        await thread
        assert told == [True]
        await shop.runtime.limiter.return_idle()
        (use,) = await shop.runtime.engine.limits(["one"])
        assert (use.running, use.held) == (0, 0)


async def test_a_cancel_by_another_process_is_noticed_within_a_second(test_app):
    """The keeper of leases looks; nothing told it."""
    app, work, _, seen = slow()
    async with test_app(app) as shop:
        job = await shop.enqueue(work)
        drain = await running(shop, seen)
        telling = Telling(Randomness())
        others = Canceler(shop.runtime.engine, shop.clock, 60, telling)
        assert await others.cancel([job.id]) == [True]
        assert not seen["ended"]
        keeper = asyncio.create_task(shop._leases.run())
        await shop.advance(1)
        assert await drain == 1
        assert seen["ended"] == [True]
        keeper.cancel()


async def test_what_has_ended_is_hidden_from_its_owner(test_app):
    """204, then 404, also of its events; operators still see it (JOB-8)."""
    app = App("quick")

    @app.post("/quick", delivery="queued")
    async def quick() -> str:
        return "done"

    async with test_app(app) as shop:
        job = await shop.enqueue(quick)
        await shop.drain()
        deleted = await delete(shop, job)
        assert (deleted.status, deleted.body) == (204, b"")
        for path in ("", "/result"):
            gone = await shop.request("GET", f"/jobs/{job.id}{path}")
            assert (gone.status, gone.json()["type"]) == (404, "/problems/unknown-job")
        assert (await delete(shop, job)).status == 404
        assert (await shop.request("GET", f"/jobs/{job.id}/events")).status == 404
        assert (await (await connected(shop, f"/events?jobs={job.id}")).sent())["code"] == 4404
        assert await job.status() is JobState.SUCCEEDED


async def test_a_dead_letter_that_its_owner_deleted_stays_for_operators(test_app):
    """It is listed, and can be sent again."""
    app = App("dying")

    @app.post("/die", delivery="queued", retry=Retry(attempts=1))
    async def die() -> None:
        raise ValueError("no")

    async with test_app(app) as shop:
        job = await shop.enqueue(die)
        await shop.drain()
        assert (await delete(shop, job)).status == 204
        record = await job.record()
        assert (record.state, record.hidden, record.expires) == (JobState.FAILED, True, None)
        app.bound_to("127.0.0.1")
        inside = await shop.request("GET", f"/admin/jobs/{job.id}", headers={"host": "127.0.0.1"})
        assert (inside.status, inside.json()["hidden"]) == (200, True)
        assert list(await shop.runtime.engine.redrive([a_redrive(job_id=job.id)])) == [True]


async def test_a_canceled_job_is_hidden_a_minute_later(test_app):
    """A repeated cancel is an answer to the first one, and then a wish of its own."""
    app, work, *_ = slow()
    async with test_app(app) as shop:
        job = await shop.enqueue(work)
        await delete(shop, job)
        await shop.advance(60)
        assert (await delete(shop, job)).status == 200
        await shop.advance(1)
        assert (await delete(shop, job)).status == 204


async def test_nobody_cancels_what_is_not_there(test_app):
    """An id never given out is a 404."""
    app, *_ = slow()
    async with test_app(app) as shop:
        answer = await shop.request("DELETE", "/jobs/nothing")
        assert (answer.status, answer.json()["type"]) == (404, "/problems/unknown-job")
        assert LeaseKeeper(shop.runtime).held() == []


async def test_one_item_of_a_batch_is_canceled_the_others_commit(test_app):
    """Its own writes are not kept, and its place is free."""
    app = App("batches")
    notes = app.table("notes", dict, key="key")
    started, go = asyncio.Event(), asyncio.Event()

    @app.post("/note", delivery="queued", batch_max=3, limit=Limit("ten", in_flight=10))
    async def note(ctx: Context, items: list[str]) -> list[str]:
        for index, item in enumerate(items):
            with ctx.item(index):
                await notes.put({"key": item})
        started.set()
        await go.wait()
        return items

    async with test_app(app) as shop:
        jobs = [await shop.enqueue(note, key) for key in "abc"]
        drain = asyncio.create_task(shop.drain())
        await started.wait()
        assert (await delete(shop, jobs[1])).status == 200
        go.set()
        await drain
        states = [await job.status() for job in jobs]
        done = JobState.SUCCEEDED
        assert states == [done, JobState.CANCELED, done]
        assert [await notes.get(key, None) is not None for key in "abc"] == [True, False, True]
        (use,) = await shop.runtime.engine.limits(["ten"])
        assert use.running == 0


async def test_past_its_retention_a_job_is_gone_then_unknown(test_app):
    """410 from `expires` on, purged or not, for a week; then 404 (JOB-9)."""
    app = App("quick")

    @app.post("/quick", delivery="queued")
    async def quick() -> str:
        return "done"

    async with test_app(app) as shop:
        job = await shop.enqueue(quick)
        await shop.drain()

        async def status():
            answers = [
                await shop.request(method, f"/jobs/{job.id}{path}", headers=headers)
                for method in ("GET", "DELETE")
                for path in ("", "/result")[: 1 + (method == "GET")]
                for headers in ({}, {"prefer": "wait=1"})
            ]
            streams = (f"/jobs/{job.id}/events", f"/events?jobs={job.id}")
            answers += [await shop.request("GET", url) for url in streams]
            socket = await connected(shop, f"/events?jobs={job.id}")
            closed = await socket.sent()
            assert closed["reason"].endswith(job.id)
            (code,) = {answer.status for answer in answers}
            assert closed["code"] == 4000 + code
            return code

        await shop.advance(86_399)
        assert (await shop.request("GET", f"/jobs/{job.id}")).status == 200
        await shop.advance(1)
        assert await status() == 410
        assert await shop._reaper.purge() == 1
        assert await status() == 410
        await shop.advance(7 * 86_400 - 1)
        assert await status() == 410
        await shop.advance(1)
        assert await status() == 404

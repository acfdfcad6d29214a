"""Whose a job is: told to the handler, kept with the job, and hidden from everybody else."""

import asyncio

import pytest
from authed import bearing, caller, key_of, serving, shop
from wire import Sse, connected

from eitherway import App, Context
from eitherway.auth import Anonymous, ApiKeys
from eitherway.settings import Settings
from eitherway.testing import TestApp

UNKNOWN = "00000000-0000-7000-8000-000000000001"


async def made(served, headers, path="/queued"):
    """The id of a new job."""
    answer = await served.request("POST", path, headers={**headers, "prefer": "respond-async"})
    assert answer.status == 202
    return answer.json()["id"]


async def test_the_handler_knows_who_asked_in_every_delivery():
    """Each attempt of a job too, and the jobs that it enqueues; in the record, in no document."""
    async with serving() as served:
        ada = await caller(served, "ada")
        await served.request("POST", "/direct", headers=ada)
        await served.request("POST", "/either", headers=ada)
        job_id = await made(served, ada)
        await served.drain()
        await served.advance(600)
        await served.drain()
        names = [(name, principal) for name, principal, _ in served.app.asked]
        told = ["direct", "either", "queued", "queued", "later"]
        assert names == [(name, "ada") for name in told]
        record = await served.runtime.read_job(job_id)
        assert record.owner == "ada"
        assert "owner" not in (await served.request("GET", f"/jobs/{job_id}", headers=ada)).json()


async def test_nobodys_jobs_are_for_who_knows_the_id():
    """As ever; for callers with a name, too."""
    async with serving() as served:
        job_id = await made(served, {})
        ada = await caller(served, "ada")
        for headers in ({}, ada):
            assert (await served.request("GET", f"/jobs/{job_id}", headers=headers)).status == 200


DOORS = [
    ("GET", "/jobs/{id}", {}),
    ("HEAD", "/jobs/{id}", {}),
    ("GET", "/jobs/{id}", {"prefer": "wait=30"}),
    ("GET", "/jobs/{id}", {"if-none-match": '*, W/"1"'}),
    ("GET", "/jobs/{id}", {"prefer": "wait=30", "if-none-match": 'W/"1"'}),
    ("GET", "/jobs/{id}/result", {}),
    ("DELETE", "/jobs/{id}", {}),
    ("GET", "/jobs/{id}/events", {}),
    ("GET", "/jobs/{id}/events", {"last-event-id": "0"}),
    ("GET", "/events?jobs={id}", {}),
    ("GET", "/events?jobs={id}&after=0", {}),
]


async def by_every_door(served, job_id, headers):
    """What each door answers, all of it but the id."""
    answers = []
    for method, path, more in DOORS:
        answer = await served.request(
            method, path.replace("{id}", job_id), headers={**headers, **more}
        )
        body = answer.body.replace(job_id.encode(), b"ID")
        fields = {k: v for k, v in answer.headers.items() if k != "content-length"}
        answers.append((answer.status, fields, body))
    return answers


@pytest.mark.parametrize("state", ["queued", "succeeded", "hidden", "expired", "purged"])
async def test_anothers_job_is_an_unknown_one(state):
    """JOB-10: by every door and method, for another caller and for nobody, byte for byte."""
    async with serving() as served:
        ada, bob = await caller(served, "ada"), await caller(served, "bob")
        job_id = await made(served, ada)
        if state != "queued":
            for _ in range(2):
                await served.drain()
                await served.advance(600)
        if state == "hidden":
            await served.request("DELETE", f"/jobs/{job_id}", headers=ada)
        if state in {"expired", "purged"}:
            await served.advance(86_400)
        if state == "purged":
            await served.runtime.engine.purge(10, tombstone_seconds=604_800)
        for stranger in (bob, {}):
            unknown = await by_every_door(served, UNKNOWN, stranger)
            assert {status for status, *_ in unknown} == {404}
            assert await by_every_door(served, job_id, stranger) == unknown
        mine = (await served.request("GET", f"/jobs/{job_id}", headers=ada)).status
        assert mine == {"hidden": 404, "expired": 410, "purged": 410}.get(state, 200)


async def test_a_stranger_waits_for_nothing():
    """A long poll of another's job ends at once, as of an unknown one: the clock stands still."""
    async with serving() as served:
        ada, bob = await caller(served, "ada"), await caller(served, "bob")
        job_id = await made(served, ada)
        answer = await served.request(
            "GET", f"/jobs/{job_id}", headers={**bob, "prefer": "wait=30"}
        )
        assert answer.status == 404
        assert not served.runtime.hub.following


async def test_a_stranger_cannot_cancel():
    async with serving() as served:
        ada, bob = await caller(served, "ada"), await caller(served, "bob")
        job_id = await made(served, ada)
        assert (await served.request("DELETE", f"/jobs/{job_id}", headers=bob)).status == 404
        assert (await served.runtime.read_job(job_id)).state == "queued"
        assert (await served.request("DELETE", f"/jobs/{job_id}", headers=ada)).status == 200


async def test_a_socket_treats_anothers_job_as_an_unknown_one():
    """4404, with the same words."""
    async with serving() as served:
        ada, bob = await caller(served, "ada"), await caller(served, "bob")
        job_id = await made(served, ada)
        said = []
        for wanted in (job_id, UNKNOWN):
            socket = await connected(served, f"/events?jobs={UNKNOWN[:-1]}2", **bob)
            assert (await socket.sent())["code"] == 4404
            socket = await connected(served, **bob)
            socket.say({"subscribe": [wanted]})
            closed = await socket.sent()
            said.append((closed["code"], closed["reason"].replace(wanted, "ID")))
        assert said[0] == said[1] == (4404, "unknown: ID")
        socket = await connected(served, f"/events?jobs={job_id}", **ada)
        assert (await socket.event())["subject"] == job_id
        socket.hear("websocket.disconnect", code=1000)
        await socket.over()


async def test_an_idempotency_key_is_its_callers_own():
    """IDEM-4: the same key of another caller, or of nobody, is another key."""
    async with serving() as served:
        ada, bob = await caller(served, "ada"), await caller(served, "bob")
        more = {"idempotency-key": "k", "prefer": "respond-async"}
        ids = [
            (await served.request("POST", "/queued", headers={**who, **more})).json()["id"]
            for who in (ada, bob, {}, ada, bob, {})
        ]
        assert ids[:3] == ids[3:]
        assert len(set(ids)) == 3
        for _ in range(2):
            answers = [
                (await served.request("POST", "/direct", headers={**who, **more})).json()
                for who in (ada, bob, {})
            ]
            assert answers == ["ada", "bob", None]
        assert [name for name, *_ in served.app.asked] == ["direct"] * 3


async def test_two_keys_of_a_caller_are_one_principal():
    async with serving() as served:
        job_id = await made(served, bearing(await key_of(served, "ada")))
        other = bearing(await key_of(served, "ada"))
        assert (await served.request("GET", f"/jobs/{job_id}", headers=other)).status == 200


def batching(together):
    """A batch handler that enqueues for each item, and for all of them."""
    app = App("shop", auth=[ApiKeys(), Anonymous()])
    app.asked = []

    @app.post("/items", delivery="queued", batch_max=3, batch_wait_seconds=60)
    async def items(ctx: Context, numbers: list[int]) -> list[int]:
        table = app.counted
        for place, _ in enumerate(numbers):
            with ctx.item(place) as view:
                if together:
                    count = await table.get("all", {"id": "all", "n": 0})
                    await table.put({"id": "all", "n": count["n"] + 1})
                await view.enqueue(after, f"{view.principal}")
                await ctx.enqueue(after, f"{view.principal}")
        app.asked.append(ctx.principal)
        await ctx.enqueue(after, f"{ctx.principal}")
        return numbers

    @app.operation()
    async def after(ctx: Context, whose: str) -> None:
        app.asked.append((whose, ctx.principal))

    app.counted = app.table("counted", dict, key="id")
    return app


@pytest.mark.parametrize("together", [False, True])
async def test_each_item_of_a_batch_is_its_owners(together):
    """The batch itself is somebody's only where all of it is."""
    async with TestApp(batching(together), settings=Settings()) as served:
        ada, bob = await caller(served, "ada"), await caller(served, "bob")
        for who in (ada, bob, {}):
            answer = await served.request("POST", "/items", json=1, headers=who)
            assert answer.status == 202
        await served.drain()
        await served.drain()
        whose = [each for each in served.app.asked if isinstance(each, tuple)]
        assert {principal for _, principal in whose} == {"ada", "bob", None}
        assert all(named == str(principal) for named, principal in whose)
        assert {each for each in served.app.asked if not isinstance(each, tuple)} == {None}
        for _ in range(2):
            await served.request("POST", "/items", json=1, headers=ada)
        served.app.asked.clear()
        await served.drain()
        await served.drain()
        assert served.app.asked[0] == "ada"
        assert set(served.app.asked[1:]) == {("ada", "ada")}


async def test_a_call_that_becomes_a_job_is_its_callers():
    """Promoted while it runs: the record has the owner from its first moment on."""
    app, go, seen = App("shop", auth=ApiKeys()), asyncio.Event(), []

    @app.post("/slow", delivery="auto")
    async def slow(ctx: Context) -> str | None:
        seen.append(ctx.principal)
        await go.wait()
        return ctx.principal

    async with TestApp(app) as served:
        ada, bob = await caller(served, "ada"), await caller(served, "bob")
        asking = served.request("POST", "/slow", headers={**ada, "prefer": "wait=5"})
        request = asyncio.ensure_future(asking)
        while not seen:
            await served.clock.let_run()
        await served.advance(5)
        answer = await request
        assert answer.status == 202
        url = f"/jobs/{answer.json()['id']}"
        assert (await served.request("GET", url, headers=bob)).status == 404
        assert (await served.request("GET", url, headers=ada)).json()["status"] == "running"
        go.set()
        done = await served.request("GET", url, headers={**ada, "prefer": "wait=5"})
        assert done.json()["result"] == "ada"


async def test_python_has_no_caller():
    async with TestApp(shop()) as served:
        job = await served.enqueue(served.app.later)
        await served.drain()
        assert served.app.asked == [("later", None, {})]
        assert (await served.runtime.read_job(job.id)).owner is None


async def test_a_stream_is_for_its_owner():
    async with serving() as served:
        ada = await caller(served, "ada")
        job_id = await made(served, ada)
        stream = Sse(served, f"/jobs/{job_id}/events", **ada)
        assert (await stream.start())["status"] == 200
        await stream.chunk()
        assert (await stream.event())["data"]["subject"] == job_id
        stream.hear("http.disconnect")
        await stream.over()

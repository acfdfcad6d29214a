"""A FastAPI application with an eitherway app in it, SQLAlchemy sessions in both, a real worker."""

import asyncio
import contextlib
import signal

import httpx
import pytest
from service import tick, until_done
from test_hosted import hosted

pytestmark = pytest.mark.slow

JOBS = 30


@contextlib.asynccontextmanager
async def served(folder):
    """A client of the application, and what runs its jobs."""
    given = {"HEROES_DB": str(folder / "heroes.db")}
    hosting = hosted(folder, "hosted_sql_apps:api", "hosted_sql_apps:heroes", **given)
    async with hosting as (url, worker), httpx.AsyncClient(base_url=url, timeout=60) as client:
        yield client, worker, given


async def ended(client, accepted):
    assert accepted.status_code == 202, accepted.text
    async with httpx.AsyncClient(base_url=f"{client.base_url}/api", timeout=60) as jobs:
        return await until_done(jobs, accepted.json()["id"])


async def test_one_session_dependency_serves_routes_and_operations(tmp_path):
    """Direct and queued, plain and async; what is read from a row is, and all is given back."""
    async with served(tmp_path) as (client, _, _given):
        direct = await client.post("/api/heroes", json={"name": "Ann"})
        assert (direct.status_code, direct.json()) == (201, {"id": 1, "name": "Ann"})
        queued = await ended(client, await client.post("/api/heroes/queued", json={"name": "Bob"}))
        assert queued["result"] == {"id": 2, "name": "Bob"}
        rejected = await client.post("/api/heroes/queued", json={"name": "nobody"})
        assert (await ended(client, rejected))["status"] == "failed"
        once = await ended(client, await client.post("/api/heroes/once", json={"name": "Cy"}))
        assert once["result"] == 4
        assert (await client.get("/names")).json() == ["Ann", "Bob", "Cy", "nobody"]
        assert (await client.get("/count")).json() == (await client.get("/api/count")).json() == 4
        wrong = await client.post("/api/heroes", json={"name": 5})
        assert (wrong.status_code, wrong.json()["type"]) == (422, "/problems/invalid-input")
        assert (await client.get("/open")).json() == 0
        assert (await ended(client, await client.post("/api/open")))["result"] == 0


async def test_a_burst_through_plain_sessions_takes_turns(tmp_path):
    """More calls at once than the pool has connections: all answered, none left open."""
    async with served(tmp_path) as (client, _, _given):
        sent = [client.post("/api/heroes", json={"name": f"h{n}"}) for n in range(60)]
        assert {answer.status_code for answer in await asyncio.gather(*sent)} == {201}
        assert (await client.get("/count")).json() == 60
        while (await client.get("/open")).json() != 0:
            await tick()  # FastAPI gives a route's session back after its answer


async def test_once_holds_in_a_transaction_of_a_dependency_when_workers_die(tmp_path):
    """Each hero is there once, although attempts died after their commit."""
    async with served(tmp_path) as (client, worker, given):
        sent = [await client.post("/api/heroes/once", json={"name": f"h{n}"}) for n in range(JOBS)]
        for kills in range(2):
            while (await client.get("/count")).json() < (kills + 1) * JOBS // 3:
                await tick()
            worker.stop(signal.SIGKILL)
            worker.start(**given)
        documents = [await ended(client, accepted) for accepted in sent]
        assert {document["status"] for document in documents} == {"succeeded"}
        assert sorted((await client.get("/names")).json()) == sorted(f"h{n}" for n in range(JOBS))

"""A cancel ends a job at once, and nothing of it is committed: with real processes."""

import asyncio
import os
import random
import signal
import sqlite3
from collections import Counter
from contextlib import closing

import httpx
import pytest
from service import Service, states_in, tick, until_done

pytestmark = pytest.mark.slow

CANCELS = 300


async def cancel_at_random(client, rng, job_id):
    """DELETE it at some moment of its life; what that was answered."""
    waiting = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(rng.uniform(0, 3), waiting.set_result, None)
    await waiting
    return (await client.delete(f"/jobs/{job_id}")).status_code


async def settled_limits(folder):
    """What is counted against limits once nothing holds a lease."""
    with closing(sqlite3.connect(folder / "jobs.db")) as connection:
        while connection.execute("SELECT 1 FROM job WHERE lease_until IS NOT NULL").fetchone():
            await tick()
        return connection.execute("SELECT name, running FROM limit_use WHERE running").fetchall()


@pytest.mark.alone
async def test_of_300_cancels_at_random_moments_none_is_committed_as_well(tmp_path):
    """Two workers, one of them killed on the way: each job is canceled, or its row is there."""
    rng = random.Random(8)
    with (
        Service(tmp_path, "run", "--workers", "2", target="cancel_apps:app") as service,
    ):
        await service.ready()
        async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
            posted = await asyncio.gather(
                *(
                    client.post("/work", json={"seconds": rng.uniform(0, 0.12)})
                    for _ in range(CANCELS)
                )
            )
            jobs = [each.json()["id"] for each in posted]
            cancels = [asyncio.create_task(cancel_at_random(client, rng, job)) for job in jobs]
            await asyncio.wait(cancels[:50])
            os.kill(service.children()["worker"], signal.SIGKILL)
            answers = dict(zip(jobs, await asyncio.gather(*cancels), strict=True))
            states = states_in(tmp_path)
            there = {job: (await client.get(f"/rows/{job}")).json() for job in jobs}
            total = (await client.get("/total")).json()
            left = await settled_limits(tmp_path)

    kinds = Counter(answers.values())
    assert set(kinds) == {200, 204}
    assert kinds[200] > CANCELS / 10 < kinds[204], kinds
    assert {
        job: "canceled" if code == 200 else "succeeded" for job, code in answers.items()
    } == states
    assert there == {job: state == "succeeded" for job, state in states.items()}
    assert total == kinds[204]
    assert left == []


@pytest.mark.parametrize("route", ["hang", "grind"])
async def test_a_running_handler_is_stopped_in_another_process(tmp_path, route):
    """Gateway and worker apart; the place is free afterwards, and the next job runs."""
    with (
        Service(tmp_path, "gateway", target="cancel_apps:app") as gateway,
        Service(tmp_path, "worker", target="cancel_apps:app"),
    ):
        await gateway.ready()
        async with httpx.AsyncClient(base_url=gateway.url, timeout=60) as client:
            ids = [
                (await client.post(f"/{route}", json={"folder": str(tmp_path)})).json()["id"]
                for _ in range(2)
            ]
            for job_id in ids:
                while not (tmp_path / f"{job_id}.began").exists():
                    await tick()
                answer = await client.delete(f"/jobs/{job_id}")
                assert (answer.status_code, answer.json()["status"]) == (200, "canceled")
                assert (await until_done(client, job_id))["status"] == "canceled"
                while not (tmp_path / f"{job_id}.stopped").exists():
                    await tick()
            assert await settled_limits(tmp_path) == []

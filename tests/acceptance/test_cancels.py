"""A cancel ends a job at once, and nothing of it is committed: with real processes."""

import asyncio
import random
import signal
import sqlite3
from collections import Counter
from contextlib import ExitStack, closing

import httpx
import pytest
from service import Service, states_in, tick, until_done

pytestmark = pytest.mark.slow

CANCELS = 300


async def cancel_on_the_way(client, folder, moments):
    """DELETE each job once so many have ended as its moment says; what was answered, when."""
    waiting = sorted(moments, key=moments.get, reverse=True)
    while waiting:
        ended = sum(state not in {"queued", "running"} for state in states_in(folder).values())
        while waiting and moments[waiting[-1]] <= ended:
            yield asyncio.create_task(client.delete(f"/jobs/{waiting[-1]}"), name=waiting.pop())
        await tick()


async def settled_limits(folder):
    """What is counted against limits once nothing holds a lease."""
    with closing(sqlite3.connect(folder / "jobs.db")) as connection:
        while connection.execute("SELECT 1 FROM job WHERE lease_until IS NOT NULL").fetchone():
            await tick()
        return connection.execute("SELECT name, running FROM limit_use WHERE running").fetchall()


async def test_of_300_cancels_at_random_moments_none_is_committed_as_well(tmp_path):
    """Two workers, one of them killed on the way: each job is canceled, or its row is there."""
    rng = random.Random(8)
    with Service(tmp_path, "gateway", target="cancel_apps:app") as gateway, ExitStack() as stack:
        await gateway.ready()
        async with httpx.AsyncClient(base_url=gateway.url, timeout=60) as client:
            bodies = [{"seconds": rng.uniform(0, 0.12)} for _ in range(CANCELS)]
            jobs = [(await client.post("/work", json=body)).json()["id"] for body in bodies]
            workers = [
                stack.enter_context(Service(tmp_path, "worker", target="cancel_apps:app"))
                for _ in range(2)
            ]
            moments = {job: rng.randrange(CANCELS) for job in jobs}
            cancels = []
            async for cancel in cancel_on_the_way(client, tmp_path, moments):
                cancels.append(cancel)
                if len(cancels) == CANCELS // 3:
                    workers[0].stop(signal.SIGKILL)
            answers = {cancel.get_name(): (await cancel).status_code for cancel in cancels}
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

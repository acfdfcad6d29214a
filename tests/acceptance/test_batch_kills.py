"""Batches on real processes: whatever dies, each item's effect is there once."""

import asyncio
import os
import random
import signal
import sqlite3
from contextlib import closing

import httpx
import pytest
from line import posted
from service import Service, tick

pytestmark = pytest.mark.slow

JOBS, KILLS, COUNTERS = 2_000, 8, 10


async def test_2000_jobs_in_batches_survive_random_kills(tmp_path):
    """Two workers, killed at random: what items and what batches counted sums up exactly."""
    with Service(tmp_path, "run", "--workers", "2") as service:
        await service.ready()
        bodies = ({"key": f"k{n}", "note": f"c{n % COUNTERS}"} for n in range(JOBS))
        posting = asyncio.ensure_future(posted(service.url, "/batched", bodies))
        kills = await kill_workers(service, tmp_path / "jobs.db")
        await posting
        while len(ended := ended_in(tmp_path / "jobs.db")) < JOBS:
            await tick()
        async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
            shared = (await client.get("/counters/batched-all")).json()
            each = [
                (await client.get(f"/counters/batched-c{number}")).json()
                for number in range(COUNTERS)
            ]

    assert kills == KILLS
    assert set(ended) == {"succeeded"}
    assert shared == JOBS
    assert each == [JOBS // COUNTERS] * COUNTERS


async def kill_workers(service, path):
    """Kill a random worker, again and again, each time that a tenth more jobs have ended."""
    chosen = random.Random(7)
    for number in range(1, KILLS + 1):
        while len(ended_in(path)) < number * JOBS // 10:
            await tick()
        while not (workers := [pid for pid, name in service._listed() if name == "worker"]):
            await tick()
        os.kill(chosen.choice(workers), signal.SIGKILL)
    return KILLS


def ended_in(path):
    """The states of the jobs that ended."""
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT state FROM job WHERE finished IS NOT NULL"
        return [state for (state,) in connection.execute(query)]

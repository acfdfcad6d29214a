"""Each half alone, each part alone, and as many workers as there is work."""

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import httpx
import pytest
from line import posted
from service import HERE, Service, all_ended, states_in, tick, until_done


async def test_the_status_query_is_a_microservice_of_its_own(tmp_path):
    """Three processes on one store: one accepts, one runs, one tells."""
    with (
        Service(tmp_path, "gateway", "--serve", "operations") as front,
        Service(tmp_path, "gateway", "--serve", "status") as status,
        Service(tmp_path, "worker"),
    ):
        await front.ready()
        await status.ready()
        async with (
            httpx.AsyncClient(base_url=front.url, timeout=30) as ask,
            httpx.AsyncClient(base_url=status.url, timeout=30) as look,
        ):
            accepted = await ask.post("/increments", json={"key": "k", "note": "n"})
            path = f"/jobs/{accepted.json()['id']}"
            document = await until_done(look, accepted.json()["id"])
            assert document["status"] == "succeeded"
            assert (await look.post("/increments", json={"key": "k"})).status_code == 404
            assert (await ask.get(path)).status_code == 404
            assert (await look.get("/livez")).status_code == 200


async def test_a_worker_may_run_some_operations_alone(tmp_path):
    """The others wait for somebody else."""
    with (
        Service(tmp_path, "gateway") as gateway,
        Service(tmp_path, "worker", "--operations", "plain"),
    ):
        await gateway.ready()
        async with httpx.AsyncClient(base_url=gateway.url, timeout=30) as client:
            left = await client.post("/increments", json={"key": "k", "note": "n"})
            done = await client.post("/plain", json={"key": "p", "note": "0"})
            assert (await until_done(client, done.json()["id"]))["status"] == "succeeded"
            waiting = await client.get(f"/jobs/{left.json()['id']}")
            assert waiting.json()["status"] == "queued"


async def test_the_first_processes_are_forks_and_the_next_ones_are_not(tmp_path):
    """Which share what was loaded once; one that takes the place of a dead one loads it itself."""
    with Service(tmp_path, "run", "--workers", "2") as service:
        await service.ready()
        assert sorted(lines_of_children(service)) == [
            "eitherway gateway apps:app",
            "eitherway worker apps:app",
            "eitherway worker apps:app",
        ]
        first = service.children()["gateway"]
        os.kill(first, signal.SIGKILL)
        while service.children().get("gateway", first) == first:
            await tick()
        assert sum(" -m eitherway gateway " in line for line in lines_of_children(service)) == 1
        await service.ready()


async def test_an_app_with_a_thread_of_its_own_is_loaded_by_each_process(tmp_path):
    """A fork would have the app without its thread."""
    with Service(tmp_path, "run", target="threaded_apps:app") as service:
        await service.ready()
        lines = lines_of_children(service)
        assert len(lines) == 2
        assert all(" -m eitherway " in line for line in lines)


def lines_of_children(service):
    """The command lines of the supervisor's children, as `ps` shows them."""
    lines = (Path(f"/proc/{pid}/cmdline").read_text() for pid, _ in service._listed())
    return [line.rstrip("\0").replace("\0", " ") for line in lines]


@pytest.mark.slow
async def test_a_burst_brings_workers_and_their_end_takes_them_away(tmp_path):
    """From 1 to 4 while jobs wait too long, back to 1 when all is done, none lost."""
    with Service(tmp_path, "run", "--workers", "1:4") as service:
        await service.ready()
        async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
            await operate(service, "pause")  # or a slow client makes no burst
            await posted(service.url, "/plain", [{"key": "k", "note": "2"}] * 1_200)
            await operate(service, "resume")
            while await workers(client) < 4:
                await tick()
            await all_ended(tmp_path)
            assert Counter(states_in(tmp_path).values()) == {"succeeded": 1_200}
            while await workers(client) > 1:
                await tick()


async def operate(service, command):
    """`eitherway pause` and `resume`, of what the burst is of."""
    said = [sys.executable, "-m", "eitherway", command, "plain", "--app", "apps:app"]
    environment = {**os.environ, "PYTHONPATH": str(HERE), "EITHERWAY_ENGINE": service.engine}
    await asyncio.to_thread(subprocess.run, said, check=True, env=environment)


async def workers(client):
    """How many there are, as `eitherway stats` says too."""
    return (await client.get("/admin/stats")).json()["workers"]

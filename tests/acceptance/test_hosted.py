"""Under uvicorn, with several of its workers, in a FastAPI application; lifespans everywhere."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import httpx
import pytest
from service import Service, tick, until_done

HERE = Path(__file__).parent
_RUNNING = re.compile(r"running on (http://127.0.0.1:\d+)")


@contextlib.contextmanager
def uvicorn(folder, target, *flags, **environment):
    """`uvicorn TARGET` on a free port: the process, and its log."""
    log = folder / "uvicorn.log"
    command = [sys.executable, "-m", "uvicorn", target, "--port", "0", *flags]
    with log.open("wb") as written:
        process = subprocess.Popen(
            command, stdout=written, stderr=written, env=environment_of(folder, **environment)
        )
    try:
        yield process, log
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def environment_of(folder, **more):
    return {
        **os.environ,
        "PYTHONPATH": str(HERE),
        "EITHERWAY_ENGINE": f"sqlite:///{folder / 'jobs.db'}",
        "HOSTED_LINES": str(folder / "lines"),
        **more,
    }


async def running(process, log, workers=1):
    """Where it is served, once all of them are up."""
    while True:
        text = log.read_text()
        found = _RUNNING.search(text)
        if found is not None and text.count("startup complete") >= workers:
            return found[1]
        assert process.poll() is None, text
        await tick()


@contextlib.asynccontextmanager
async def hosted(folder, host, app, **given):
    """An application under uvicorn, a worker of the app in it: where it is, and the worker."""
    with uvicorn(folder, host, **given) as (process, log):
        url = await running(process, log)
        worker = Service(folder, "worker", target=app).start(**given)
        try:
            yield url, worker
        finally:
            worker.stop()


class Stopped:
    """A service that is started already, to be stopped."""

    def __init__(self, service):
        self.close = service.stop


def lines(folder):
    path = folder / "lines"
    return [line.split(" ", 1) for line in path.read_text().splitlines()] if path.exists() else []


async def test_uvicorn_serves_it_and_a_worker_beside_it_runs_the_jobs(tmp_path):
    """By `uvicorn module:app`; jobs wait while there is none. Both open and close the lifespan."""
    with uvicorn(tmp_path, "hosted_apps:shop") as (process, log):
        url = await running(process, log)
        async with httpx.AsyncClient(base_url=url, timeout=30) as client:
            assert (await client.get("/orders/1")).json() == "hosted"
            accepted = await client.post("/orders", json={"order_id": "1"})
            waits = await client.get(accepted.headers["location"], headers={"prefer": "wait=1"})
            assert waits.json()["status"] == "queued"
            worker = Service(tmp_path, "worker", target="hosted_apps:shop")
            worker.start(HOSTED_LINES=str(tmp_path / "lines"))
            done = await until_done(client, accepted.json()["id"])
            assert (done["status"], done["result"]) == ("succeeded", "hosted")
            assert worker.stop() == 0
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
        said = lines(tmp_path)
    assert Counter(text for _, text in said) == {"opens": 2, "closes": 2, "ran 1": 1}
    assert len({pid for pid, _ in said}) == 2


@pytest.mark.slow
async def test_several_uvicorn_workers_are_gateways_on_one_store(tmp_path):
    """What one accepts, all answer for: asked again and again over new connections."""
    with (
        uvicorn(tmp_path, "hosted_apps:api", "--workers", "3") as (process, log),
        Service(tmp_path, "worker", target="hosted_apps:shop"),
    ):
        url = await running(process, log, 3)
        ids = []
        for number in range(20):
            async with httpx.AsyncClient(base_url=url, timeout=30) as client:
                accepted = await client.post("/shop/orders", json={"order_id": str(number)})
                assert accepted.status_code == 202
                assert accepted.headers["location"].startswith(f"{url}/shop/jobs/")
                ids.append(accepted.json()["id"])
        for job_id in ids:
            async with httpx.AsyncClient(base_url=f"{url}/shop", timeout=30) as client:
                assert (await until_done(client, job_id))["status"] == "succeeded"
    assert Counter(text for _, text in lines(tmp_path))["opens"] == 3  # the worker has its own file


@pytest.mark.slow
@pytest.mark.parametrize("flags", [(), ("--single",)], ids=["run", "single"])
async def test_every_process_that_runs_handlers_opens_the_lifespan(tmp_path, flags):
    """Gateway, worker and the process of a suspect: what runs finds the pool open."""
    service = Service(tmp_path, "run", *flags, target="hosted_apps:shop")
    service.start(HOSTED_LINES=str(tmp_path / "lines"))
    with contextlib.closing(Stopped(service)):
        await service.ready()
        async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
            if not flags:  # else the gateway would die with it
                order = {"order_id": "dies", "dies": True}
                dying = (await client.post("/orders", json=order)).json()["id"]
                assert (await until_done(client, dying))["result"] == "hosted"
            well = (await client.post("/orders", json={"order_id": "well"})).json()["id"]
            assert (await until_done(client, well))["result"] == "hosted"
    said = lines(tmp_path)
    opened = {pid for pid, text in said if text == "opens"}
    ran = {text: pid for pid, text in said if text.startswith("ran")}
    assert opened >= set(ran.values())
    if not flags:
        assert ran["ran dies"] != ran["ran well"]  # alone in a process of its own
    assert len({pid for pid, text in said if text == "closes"}) == len(opened) - (not flags)


@pytest.mark.parametrize(
    "command",
    [["gateway"], ["worker"], ["run", "--single"], pytest.param(["run"], marks=pytest.mark.slow)],
)
async def test_a_lifespan_that_fails_is_one_line_and_an_exit_code(tmp_path, command):
    """Each process says it once; under a supervisor, those that got so far when the first ended."""
    service = Service(tmp_path, *command, target="hosted_apps:shop")
    service.start(HOSTED_BROKEN="yes")
    assert service.process.wait(timeout=30) == 5
    said = [line for line in service.log.read_text().splitlines() if "is served at" not in line]
    assert 1 <= len(said) <= (2 if command == ["run"] else 1), said
    for line in said:
        assert line.startswith("eitherway: the lifespan pool failed at start: ConnectionError: no ")
        assert re.search(r"no database at 10.0.0.7 \(hosted_apps.py:\d+\)$", line)


async def test_under_uvicorn_a_lifespan_that_fails_is_one_line(tmp_path):
    """And uvicorn's own exit code."""
    with uvicorn(tmp_path, "hosted_apps:shop", HOSTED_BROKEN="yes") as (process, log):
        assert process.wait(timeout=30) == 3
        assert "the lifespan pool failed at start: ConnectionError" in log.read_text()
        assert "Traceback" not in log.read_text()

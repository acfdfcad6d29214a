"""A store that can be read and not written: at the start, and while everything runs."""

import resource
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from service import HERE, Service, tick, until_done

WITHIN = (sys.executable, str(HERE / "bound_by_modes.py"))  # root may write whatever modes say


def run(folder, *arguments):
    command = [*WITHIN, sys.executable, "-m", "eitherway", *arguments]
    environment = {"PYTHONPATH": str(HERE)}
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@contextmanager
def read_only(*paths):
    """They are read-only within the block."""
    modes = {path: path.stat().st_mode for path in paths}
    for path, mode in modes.items():
        path.chmod(mode & 0o555)
    try:
        yield
    finally:
        for path, mode in modes.items():
            path.chmod(mode)


def the_file(folder):
    return [folder / "jobs.db"]


def the_folder(folder):
    return [folder]


@pytest.mark.slow
@pytest.mark.parametrize("used", [False, True], ids=["restored", "used"])
@pytest.mark.parametrize("what", [the_file, the_folder])
@pytest.mark.parametrize("command", ["gateway", "worker", "run"])
def test_a_start_is_refused_in_one_line(tmp_path, command, what, used):
    """With what to do, whether its other files are there or not."""
    folder = tmp_path / "data"
    folder.mkdir()
    engine = f"sqlite:///{folder / 'jobs.db'}"
    assert run(tmp_path, "run", "apps:app", "--check", "--engine", engine).returncode == 0
    for beside in [] if used else folder.glob("jobs.db-*"):
        beside.unlink()
    port = [] if command == "worker" else ["--port", "0"]
    with read_only(*what(folder)):
        done = run(tmp_path, command, "apps:app", "--engine", engine, *port)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"eitherway: {folder / 'jobs.db'} cannot be used (")
    assert line.endswith("): this process must be allowed to write the file and its folder")


def no_write_succeeds(*services, limit):
    """Until there is no limit any more: as on a disk that its system has given up writing to."""
    for service in services:
        resource.prlimit(
            service.process.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY)
        )


async def refused(client, body):
    """Post until it is refused; what was accepted before."""
    accepted = []
    while (response := await client.post("/mixed", json=body)).status_code == 202:
        accepted.append(response.json()["id"])
    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["type"] == "/problems/engine-unavailable"
    return accepted


@pytest.mark.slow
async def test_a_store_that_becomes_read_only_loses_nothing(tmp_path):
    """503 and nothing promised, jobs can be read; it goes on by itself, each job to its one end."""
    folder = tmp_path / "data"
    folder.mkdir()
    engine = f"sqlite:///{folder / 'jobs.db'}"
    processes = [Service(tmp_path, name, within=WITHIN) for name in ("gateway", "worker")]
    gateway, worker = (process.at(engine) for process in processes)
    with gateway, worker:
        await gateway.ready()
        async with httpx.AsyncClient(base_url=gateway.url, timeout=60) as client:
            body = {"key": "k"}
            accepted = [(await client.post("/mixed", json=body)).json()["id"] for _ in range(5)]
            step = {"key": "k", "note": str(tmp_path / "go")}
            running = (await client.post("/slow", json=step)).json()["id"]
            while (await client.get(f"/jobs/{running}")).json()["status"] != "running":
                await tick()
            with read_only(*folder.glob("jobs.db*"), folder):
                no_write_succeeds(gateway, worker, limit=0)
                accepted += await refused(client, body)
                no_write_succeeds(gateway, worker, limit=resource.RLIM_INFINITY)
                assert await refused(client, body) == []  # by its mode alone
                Path(step["note"]).touch()
                for job_id in (*accepted, running):
                    assert (await client.get(f"/jobs/{job_id}")).status_code == 200
                assert (await client.get("/livez")).status_code == 200
            while (response := await client.post("/mixed", json=body)).status_code != 202:
                assert response.status_code == 503
                await tick()
            accepted.append(response.json()["id"])
            ended = [await until_done(client, job_id) for job_id in (*accepted, running)]
            assert {job["status"] for job in ended} == {"succeeded"}
            count = await client.get("/counters/mixed")
            assert count.json() == len(accepted)
    assert "attempt to write a readonly database" in gateway.log.read_text()
    for process in (gateway, worker):
        assert "Traceback" not in process.log.read_text()

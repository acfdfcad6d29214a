"""An app that is loaded again while it runs: on SIGHUP, and with `--reload` when a file changes."""

import asyncio
import os
import signal

import httpx
import pytest
from service import Service, tick, until_done

pytestmark = pytest.mark.slow

SOURCE = """
from eitherway import App

app = App("live")

@app.get("/version")
async def version() -> int:
    return {version}

@app.post("/work", delivery="queued")
async def work(number: int) -> int:
    return {version}
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    at = 1_800_000_000.0

    def write(text, after_seconds=1.0):
        """As if so long after the one before: Python tells old bytecode by seconds and size."""
        nonlocal at
        at += after_seconds
        fresh = tmp_path / "live.new"
        fresh.write_text(text)
        os.utime(fresh, (at, at))
        fresh.replace(tmp_path / "live.py")

    write(SOURCE.format(version=1))
    return write


async def until_version(url, wanted):
    """Every call is a connection of its own, and none of them may fail."""
    while True:
        async with httpx.AsyncClient(base_url=url, timeout=60) as client:
            answer = await client.get("/version")
        assert answer.status_code == 200
        if answer.json() == wanted:
            return
        await tick()


async def test_sighup_replaces_the_processes_and_turns_nobody_away(tmp_path, write):
    """Three times under load: each request is answered, each job ends, by new code at last."""
    with Service(tmp_path, "run", target="live:app") as service:
        await service.ready()
        stopped, jobs = asyncio.Event(), []

        async def load():
            while not stopped.is_set():
                async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
                    answer = await client.post(f"/work?number={len(jobs)}")
                assert answer.status_code == 202
                jobs.append(answer.json()["id"])

        loads = [asyncio.create_task(load()) for _ in range(4)]
        for version in (2, 3, 4):
            write(SOURCE.format(version=version))
            os.kill(service.process.pid, signal.SIGHUP)
            await until_version(service.url, version)
        stopped.set()
        await asyncio.gather(*loads)
        async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
            ended = [await until_done(client, job) for job in jobs]
            last = await until_done(client, (await client.post("/work?number=0")).json()["id"])
        while service.commands() != ["gateway", "worker"]:
            await tick()  # those that were replaced drain
    assert {job["status"] for job in ended} == {"succeeded"}
    assert len(jobs) > 30
    assert last["result"] == 4


async def test_a_changed_file_is_loaded_and_a_broken_one_is_not(tmp_path, write):
    """With `--reload`: however soon, and what runs goes on until the file will do again."""
    with Service(tmp_path, "run", "--reload", target="live:app") as service:
        await service.ready()
        write(SOURCE.format(version=2), after_seconds=0.1)
        await until_version(service.url, 2)
        write("app = App('x'\n")
        while "live.py, line 1: SyntaxError" not in service.log.read_text():
            await tick()
        os.kill(service.children()["worker"], signal.SIGKILL)  # it cannot be loaded again for now
        while "the worker ended (exit code 2): starting it again" not in service.log.read_text():
            await tick()
        await until_version(service.url, 2)
        write(SOURCE.format(version=3))
        await until_version(service.url, 3)
        assert "what runs goes on as it is" in service.log.read_text()
        assert "Traceback" not in service.log.read_text()


async def test_who_has_just_connected_is_answered_when_the_gateway_stops(tmp_path, write):
    """One request, and then the connection is closed; who asks nothing is let go."""
    with Service(tmp_path, "gateway", target="live:app") as service:
        await service.ready()
        host, port = service.url.removeprefix("http://").split(":")
        asking = await asyncio.open_connection(host, int(port))
        silent = await asyncio.open_connection(host, int(port))
        await until_version(service.url, 1)  # connections are taken in turn
        service.process.send_signal(signal.SIGTERM)
        while "Shutting down" not in service.log.read_text():
            await tick()
        asking[1].write(b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = await asking[0].read()  # up to the end
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert answer.endswith(b"\r\n\r\n1")
        assert await silent[0].read() == b""
        for _, writer in (asking, silent):
            writer.close()
        assert service.process.wait(timeout=30) == 0

"""What a person sees when something is wrong: one clear line, an exit code, nothing lost."""

import asyncio
import os
import resource
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from service import Service

from eitherway.engines.sqlite.engine import SqliteEngine

HERE = Path(__file__).parent


def eitherway(*arguments, folder, **environment):
    return subprocess.run(
        [sys.executable, "-m", "eitherway", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(HERE), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run", "apps"], "names no app"),
        (["run", "nowhere:app"], "no module 'nowhere'"),
        (["worker", "apps:nothing"], "has no 'nothing'"),
        (["gateway", "apps:Step"], "not an eitherway App"),
        (["worker", "broken:app"], "no_such_library"),
        (["worker", "undeclared:app"], "annotate the parameter 'order'"),
        (["worker", "apps:app", "--engine", "mysql://x"], "no engine for"),
        (["worker", "apps:app", "--engine", "sqlite:///no/such/folder/x.db"], "no directory"),
        (["run", "apps:app", "--port", "99999"], "--port"),
        (["jobs", "show", "x"], "which engine?"),
        (["jobs", "list", "--engine", "sqlite:///typo.db"], "there is no typo.db"),
        (["backup", "copy.db", "--engine", "sqlite:///typo.db"], "there is no typo.db"),
        (["run", "late:app"], "late.py, line 1: SyntaxError: '(' was never closed"),
        (["run", "apps.py:app"], "name the module, not its file: apps:app"),
        (["gateway", "clash:app"], "/jobs/{id} is a path of the gateway itself"),
        (["run", "clash:app", "--port", "0"], "/jobs/{id} is a path of the gateway itself"),
        (["run", "apps:app", "--engine", "shop.db"], "such as sqlite:///shop.db"),
    ],
)
def test_a_wrong_setting_is_one_line_and_exit_code_2(tmp_path, arguments, expected):
    """The line says what is wrong, and there is no traceback."""
    (tmp_path / "broken.py").write_text("import no_such_library\n")
    (tmp_path / "undeclared.py").write_text(
        "from eitherway import App\napp = App('x')\n@app.post('/x')\ndef f(order): ...\n"
    )
    (tmp_path / "late.py").write_text("app = App('x'\n")
    (tmp_path / "clash.py").write_text(
        "from eitherway import App\napp = App('x')\n@app.get('/jobs/{id}')\ndef f(id: str): ...\n"
    )
    done = eitherway(*arguments, folder=tmp_path)
    assert done.returncode == 2
    assert expected in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.glob("*.db"))


async def make_store(path):
    engine = SqliteEngine(path)
    await engine.open()
    await engine.close()


def test_an_unknown_job_is_exit_code_1(tmp_path):
    """`jobs show` of an id that is not there."""
    asyncio.run(make_store(tmp_path / "x.db"))
    done = eitherway("jobs", "show", "x", "--engine", "sqlite:///x.db", folder=tmp_path)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)


def test_a_port_in_use_is_one_line(tmp_path):
    """It names the address, and how to choose another."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for command in ("run", "gateway"):
            done = eitherway(command, "apps:app", "--port", port, folder=tmp_path)
            assert done.returncode == 2
            assert done.stderr.count("\n") == 1
            assert f"127.0.0.1:{port}" in done.stderr


@pytest.mark.parametrize("command", [["run"], ["run", "--single"], ["gateway"], ["worker"]])
def test_a_newer_database_is_refused_and_left_alone(tmp_path, command):
    """Whichever process meets it, `run` and its children included."""
    path = tmp_path / "new.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 999")
    before = path.read_bytes()
    arguments = [command[0], "apps:app", *command[1:], "--engine", "sqlite:///new.db"]
    if command != ["worker"]:
        arguments += ["--port", "0"]
    done = eitherway(*arguments, folder=tmp_path)
    assert done.returncode == 2
    assert "upgrade eitherway" in done.stderr
    assert "Traceback" not in done.stderr
    assert path.read_bytes() == before


@pytest.mark.slow
async def test_a_full_disk_is_a_503_and_no_202(tmp_path):
    """Every 202 before the disk was full is kept; after it nothing is promised any more."""
    megabyte = 1_048_576
    service = Service(tmp_path, "gateway")
    with service:
        await service.ready()
        resource.prlimit(
            service.process.pid, resource.RLIMIT_FSIZE, (megabyte, resource.RLIM_INFINITY)
        )
        async with httpx.AsyncClient(base_url=service.url, timeout=30) as client:
            accepted, refused = [], 0
            while not refused:
                body = {"key": "k", "note": "x" * 20_000}
                response = await client.post("/mixed", json=body)
                if response.status_code == 202:
                    accepted.append(response.json()["id"])
                else:
                    refused = response.status_code
            assert refused == 503
            assert response.json()["type"] == "/problems/engine-unavailable"
            assert int(response.headers["retry-after"]) >= 1
            again = await client.post("/mixed", json=body)
            assert again.status_code == 503
            assert (await client.get("/livez")).status_code == 200
            unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, unlimited)
            recovered = await client.post("/mixed", json=body)
            assert recovered.status_code == 202  # by itself, once there is room
            for job_id in accepted:
                assert (await client.get(f"/jobs/{job_id}")).status_code == 200
    assert len(accepted) > 5


async def test_jobs_show_prints_a_job_for_people_and_for_programs(tmp_path):
    """A table, or with `--json` the job document."""
    with Service(tmp_path, "run") as service:
        await service.ready()
        async with httpx.AsyncClient(base_url=service.url, timeout=30) as client:
            accepted = await client.post("/increments", json={"key": "k", "note": "n"})
            job_id = accepted.json()["id"]
            await client.get(f"/jobs/{job_id}", headers={"prefer": "wait=20"})
        shown = eitherway("jobs", "show", job_id, "--engine", service.engine, folder=tmp_path)
        document = eitherway(
            "jobs", "show", job_id, "--json", "--engine", service.engine, folder=tmp_path
        )
    assert (shown.returncode, document.returncode) == (0, 0)
    for word in (job_id, "increment", "succeeded", "1 of 5"):
        assert word in shown.stdout
    assert '"status": "succeeded"' in document.stdout

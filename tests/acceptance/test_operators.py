"""What operators do, from outside: dead letters, canaries, pausing, over HTTP and in a shell."""

import asyncio
import json
import os
import subprocess
import sys
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from line import documents, posted
from service import Service, all_ended, until_done

HERE = Path(__file__).parent
APP = "operated_apps:app"
LOCAL_ONLY = "/problems/operators-only"


class Shop:
    """A served app, its client, and the command line beside it."""

    def __init__(self, folder: Path, *command: str, **environment: str) -> None:
        self.folder = folder
        self.mended = folder / "mended"
        self._environment = {"MENDED": str(self.mended), **environment}
        self.service = Service(folder, *(command or ("run",)), target=APP)

    async def __aenter__(self):
        await self.service.start(**self._environment).ready()
        self.client = httpx.AsyncClient(base_url=self.service.url, timeout=60)
        return self

    async def __aexit__(self, *_: object):
        await self.client.aclose()
        self.service.stop()

    async def order(self, **fields) -> str:
        response = await self.client.post("/orders", json={"key": "1", **fields})
        assert response.status_code == 202, response.text
        return response.json()["id"]

    async def dead(self, count: int, **fields) -> list[str]:
        """Ids of jobs that have died."""
        gate = asyncio.Semaphore(32)

        async def one(number: int) -> str:
            async with gate:
                job_id = await self.order(**{"key": str(number), **fields})
                assert (await until_done(self.client, job_id))["status"] == "failed"
                return job_id

        return list(await asyncio.gather(*(one(number) for number in range(count))))

    def run(self, *arguments: str, stdin: bytes | None = None, app: bool = False):
        """`eitherway ARGUMENTS` on this shop's store."""
        target = ["--app", APP] if app else []
        return subprocess.run(
            [sys.executable, "-m", "eitherway", *arguments, *target],
            cwd=self.folder,
            env={
                **os.environ,
                "PYTHONPATH": str(HERE),
                "EITHERWAY_ENGINE": self.service.engine,
                "COLUMNS": "200",
                **self._environment,
            },
            input=stdin,
            capture_output=True,
            timeout=90,
            check=False,
        )

    def json(self, *arguments: str, **more):
        done = self.run(*arguments, "--json", **more)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.mark.alone
@pytest.mark.slow
async def test_a_thousand_dead_letters_are_redriven_at_a_hundred_a_second(tmp_path):
    """Each is tried once more, in any second no more than the rate and its unevenness."""
    async with Shop(tmp_path) as shop:
        bodies = [{"key": str(number)} for number in range(1_000)]
        ids = await posted(shop.service.url, "/orders", bodies)
        await all_ended(tmp_path)
        shop.mended.touch()
        wish = {"operation": "place_order", "per_second": 100}
        done = await shop.client.post("/admin/dead/redrive", json=wish)
        assert done.json()["redriven"] == 1_000
        await all_ended(tmp_path)
        ended = await documents(shop.service.url, ids)
        assert {document["status"] for document in ended} == {"succeeded"}
        started = sorted(
            datetime.fromisoformat(document["attempts"][1]["started"]).timestamp()
            for document in ended
        )
        assert all(len(document["attempts"]) == 2 for document in ended)
        assert 9.5 <= started[-1] - started[0] <= 14
        most = max(sum(moment <= other < moment + 1 for other in started) for moment in started)
        assert most <= 125
        assert max(later - earlier for earlier, later in pairwise(started)) < 1
        assert (await shop.client.get("/admin/dead")).json()["groups"] == []


@pytest.mark.slow
async def test_dead_letters_are_listed_shown_edited_and_purged_in_a_shell(tmp_path):
    """For people and for programs; what was rejected is not among them."""
    async with Shop(tmp_path) as shop:
        first, second, third = await shop.dead(3)
        rejected = (await shop.dead(1, amount=-1))[0]
        listed = shop.json("dead", "list")
        assert [(g["operation"], g["kind"], g["count"]) for g in listed["groups"]] == [
            ("place_order", "exhausted", 3)
        ]
        shown = shop.run("dead", "list").stdout.decode()
        assert "ConnectionError: no database for order #" in shown
        letters = shop.json("dead", "list", "--operation", "place_order")
        assert {letter["id"] for letter in letters["jobs"]} == {first, second, third}
        assert (
            rejected not in shop.run("dead", "list", "--operation", "place_order").stdout.decode()
        )
        inside = shop.run("dead", "show", first).stdout.decode()
        assert "Traceback" in inside
        assert '"amount": 1.0' in inside or '"key": "0"' in inside
        assert shop.json("dead", "show", first)["attempts"][0]["exception"].startswith("Traceback")

        shop.mended.touch()
        wrong = shop.run("dead", "edit", first, "--payload", "-", stdin=b'{"key": 1}', app=True)
        assert wrong.returncode == 2
        assert b"/key: Input should be a valid string" in wrong.stderr
        edited = shop.folder / "edited.json"
        edited.write_text('{"key": "edited"}')
        assert shop.run("dead", "edit", first, "--payload", str(edited), app=True).returncode == 0
        assert (await until_done(shop.client, first))["result"] == "edited"

        assert shop.json("dead", "purge", second) == {"purged": 1}
        assert (await shop.client.get(f"/jobs/{second}")).status_code == 404
        gone = shop.run("dead", "redrive", second)
        assert (gone.returncode, gone.stderr.count(b"\n")) == (1, 1)
        assert shop.json("dead", "redrive", "--operation", "place_order")["redriven"] == 1
        assert (await until_done(shop.client, third))["status"] == "succeeded"


async def test_a_canary_stops_a_redrive_and_is_exit_code_4(tmp_path):
    """One line says which job it was; with the database mended, all go."""
    async with Shop(tmp_path) as shop:
        ids = await shop.dead(5)
        stopped = shop.run("dead", "redrive", "--operation", "place_order", "--canary")
        assert stopped.returncode == 4
        assert any(job_id.encode() in stopped.stderr for job_id in ids)
        assert stopped.stderr.count(b"\n") == 1
        statuses = [await shop.client.get(f"/jobs/{job_id}") for job_id in ids]
        assert sum(len(status.json()["attempts"]) for status in statuses) == 6
        shop.mended.touch()
        done = shop.json("dead", "redrive", "--operation", "place_order", "--canary")
        assert (done["redriven"], done["canary"]["status"]) == (5, "succeeded")
        for job_id in ids:
            assert (await until_done(shop.client, job_id))["status"] == "succeeded"


async def test_an_operation_is_paused_and_resumed_across_processes(tmp_path):
    """From a shell, for a worker in another process; the gateway accepts meanwhile."""
    async with Shop(tmp_path) as shop:
        shop.mended.touch()
        unknown = shop.run("pause", "place_odrer", app=True)
        assert (unknown.returncode, unknown.stderr.count(b"\n")) == (1, 1)
        assert shop.run("pause", "place_order", app=True).returncode == 0
        job_id = await shop.order()
        waited = await shop.client.get(f"/jobs/{job_id}", headers={"prefer": "wait=1"})
        assert waited.json()["status"] == "queued"
        (statistics,) = shop.json("stats")["operations"]
        assert (statistics["paused"], statistics["waiting"]) == (True, 1)
        table = shop.run("stats").stdout.decode()
        assert "paused" in table
        assert "place_order" in table
        jobs = shop.json("jobs", "list", "--status", "queued")["jobs"]
        assert [job["id"] for job in jobs] == [job_id]
        assert job_id in shop.run("jobs", "list", "--operation", "place_order").stdout.decode()
        assert shop.run("resume", "place_order").returncode == 0
        assert (await until_done(shop.client, job_id))["status"] == "succeeded"


async def test_jobs_are_canceled_from_a_shell(tmp_path):
    """Those that have not ended; the others are named, exit code 1."""
    async with Shop(tmp_path) as shop:
        assert shop.run("pause", "place_order", app=True).returncode == 0
        first, second, third = [await shop.order() for _ in range(3)]
        done = shop.run("jobs", "cancel", first, second)
        assert (done.returncode, done.stdout) == (0, b"2 canceled\n")
        again = shop.run("jobs", "cancel", "--json", second, third, "nothing")
        assert json.loads(again.stdout) == {"canceled": [third], "left": [second, "nothing"]}
        assert (again.returncode, again.stderr.count(b"\n")) == (1, 1)
        assert b"nothing" in again.stderr
        for job_id in (first, second, third):
            document = (await shop.client.get(f"/jobs/{job_id}")).json()
            assert (document["status"], document["done"]) == ("canceled", True)


async def test_the_operators_door_is_local_or_has_a_token(tmp_path):
    """Against real sockets."""
    async with Shop(tmp_path / "a") as shop:
        assert (await shop.client.get("/admin/stats")).status_code == 200
        for headers in ({"host": "shop.example"}, {"x-forwarded-for": "127.0.0.1"}):
            refused = await shop.client.get("/admin/stats", headers=headers)
            assert (refused.status_code, refused.json()["type"]) == (403, LOCAL_ONLY)
    async with Shop(tmp_path / "b", "gateway", "--host", "0.0.0.0") as shop:
        port = shop.service.url.rpartition(":")[2]
        refused = await shop.client.get(f"http://127.0.0.1:{port}/admin/stats")
        assert (refused.status_code, refused.json()["type"]) == (403, LOCAL_ONLY)
    async with Shop(tmp_path / "c", "gateway", EITHERWAY_ADMIN_TOKEN="open sesame") as shop:
        refused = await shop.client.get("/admin/stats")
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"].startswith("Bearer ")
        headers = {"authorization": "Bearer open sesame", "host": "shop.example"}
        assert (await shop.client.get("/admin/stats", headers=headers)).status_code == 200
        shown = shop.run("config")
        assert b"open sesame" not in shown.stdout
        assert b"EITHERWAY_ADMIN_TOKEN" in shown.stdout


@pytest.fixture(autouse=True)
def folders(tmp_path):
    """Databases of their own for several shops."""
    for name in "abc":
        (tmp_path / name).mkdir()

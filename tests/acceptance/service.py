"""Real processes for the acceptance tests: started, killed and stopped by pid."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Self

import httpx

HERE = Path(__file__).parent
_SERVED = re.compile(r"is served at (http://\S+)")


class Service:
    """`eitherway COMMAND apps:app` on a free port, with a database in `folder`."""

    def __init__(
        self, folder: Path, *command: str, target: str = "apps:app", within: Sequence[str] = ()
    ) -> None:
        self.folder = folder
        self.engine = f"sqlite:///{folder / 'jobs.db'}"
        self.log = folder / f"{'-'.join((target, *command)).replace(':', '-')}.log"
        self._command = [*within, sys.executable, "-m", "eitherway", command[0], target]
        self._command += ["--engine", self.engine, *command[1:]]
        if command[0] != "worker":
            self._command += ["--port", "0"]
        self.url = ""

    def at(self, engine: str) -> Self:
        """With this engine, in place of its own."""
        self._command[self._command.index(self.engine)] = self.engine = engine
        return self

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, **environment: str) -> Self:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command,
                stdout=log,
                stderr=log,
                env={
                    **os.environ,
                    "PYTHONPATH": str(HERE),
                    "EITHERWAY_DRAIN_SECONDS": "5",
                    **environment,
                },
            )
        return self

    async def ready(self) -> Self:
        """Return once it says where it is, and is ready."""
        while (found := _SERVED.search(self.log.read_text())) is None:
            assert self.process.poll() is None, self.log.read_text()
            await tick()
        self.url = found[1]
        async with httpx.AsyncClient(base_url=self.url) as client:
            while (await client.get("/readyz", timeout=30)).status_code != 200:
                await tick()
        return self

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Stop it (or kill it) and give its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout=30)

    def children(self) -> dict[str, int]:
        """The supervisor's children: command to pid."""
        return {command: pid for pid, command in self._listed()}

    def commands(self) -> list[str]:
        """The commands of the supervisor's children, each as often as it runs."""
        return [command for _, command in self._listed()]

    def _listed(self) -> list[tuple[int, str]]:
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        found = []
        for pid in listed.split():
            try:
                line = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if b"eitherway" in line:
                found.append((int(pid), line[line.index(b"eitherway") + 1].decode()))
        return found


async def tick() -> None:
    """Look again in 10 ms: between two looks at what another process has no signal for."""
    waiter = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.01, waiter.set_result, None)
    await waiter


async def until_done(client: httpx.AsyncClient, job_id: str) -> dict:
    """The job document once the job has ended, by long poll; gateways may die meanwhile."""
    while True:
        try:
            response = await client.get(
                f"/jobs/{job_id}", headers={"prefer": "wait=20"}, timeout=60
            )
        except httpx.TransportError:
            await tick()
            continue
        if response.status_code == 503:
            await tick()
            continue
        assert response.status_code == 200, (job_id, response.text)
        if response.json()["done"]:
            return response.json()


def states_in(folder: Path) -> dict[str, str]:
    """The state of each job in the file, as somebody else reads it: thousands at a time."""
    with closing(sqlite3.connect(folder / "jobs.db")) as connection:
        return dict(connection.execute("SELECT id, state FROM job"))


def items_in(folder: Path, table: str) -> dict[str, dict]:
    """A table's items in the file, by key."""
    with closing(sqlite3.connect(folder / "jobs.db")) as connection:
        found = connection.execute("SELECT key, value FROM item WHERE tbl = ?", (table,))
        return {key: json.loads(value) for key, value in found}


async def all_ended(folder: Path) -> None:
    """Return once no job in the file is open: a request for each of thousands takes a minute."""
    with closing(sqlite3.connect(folder / "jobs.db")) as connection:
        while connection.execute("SELECT 1 FROM job WHERE finished IS NULL").fetchone():
            await tick()

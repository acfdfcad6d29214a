"""The two shops of `examples/moving`, started, killed and started again as their own processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import httpx
from service import tick
from sqlalchemy import create_engine, text

from tools import tool

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "moving"


class Shop(ABC):
    """One version of the shop: `commands` are its processes, the one that does the work last."""

    version: str

    @property
    @abstractmethod
    def commands(self) -> Mapping[str, Sequence[str]]:
        """By name."""

    def __init__(self, folder: Path, database: str, **environment: str) -> None:
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.environment = {
            "DATABASE_URL": database,
            "BROKER_URL": f"redis+socket://{folder}/redis.sock",
            "PORT": str(self.port),
            **environment,
        }
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self._database = create_engine(database)

    def __enter__(self) -> Self:
        self.start("database")
        assert self.running.pop("database").wait(timeout=60) == 0, self.logs()
        for name in self.commands:
            self.start(name)
        return self

    def __exit__(self, *_: object) -> None:
        self._database.dispose()
        for name in reversed(self.running):
            self.kill(name)

    def start(self, name: str) -> None:
        """Start a process in a group of its own."""
        command = self.commands.get(name, [sys.executable, f"{name}.py"])
        words = [word.format(folder=self.folder, port=self.port) for word in command]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                words,
                cwd=EXAMPLE / self.version,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        """Kill a process, with all that it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self.running[name].pid, signal.SIGKILL)
        self.running[name].wait(timeout=30)

    def kill_the_worker(self) -> None:
        """Kill what does the work, and start it again."""
        *_, worker = self.commands
        self.kill(worker)
        self.start(worker)

    async def ready(self, client: httpx.AsyncClient) -> None:
        """Return once it answers."""
        while True:
            with suppress(httpx.TransportError):
                if (await client.get("/orders/none")).status_code == 404:
                    return
            assert all(one.poll() is None for one in self.running.values()), self.logs()
            await tick()

    def paid(self) -> int:
        """How many orders are, by what its database says: a request for each takes too long."""
        with self._database.connect() as connection:
            return connection.scalar(text("SELECT count(*) FROM orders WHERE status = 'paid'")) or 0

    def logs(self) -> str:
        """What its processes have said."""
        return "\n".join(path.read_text() for path in self.folder.glob("*.log"))

    @property
    def client(self) -> httpx.AsyncClient:
        """Of its HTTP interface."""
        return httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=60)


class Before(Shop):
    """FastAPI, Redis and Celery."""

    version = "before"

    @property
    def commands(self) -> Mapping[str, Sequence[str]]:
        python = [sys.executable, "-m"]
        return {
            "redis": [tool("redis-server"), "--port", "0", "--unixsocket", "{folder}/redis.sock"],
            "api": [*python, "uvicorn", "shop:app", "--port", "{port}"],
            "worker": [*python, "celery", "-A", "tasks", "worker", "--concurrency", "2"],
        }


class After(Shop):
    """eitherway."""

    version = "after"

    @property
    def commands(self) -> Mapping[str, Sequence[str]]:
        engine = ["--engine", "sqlite:///{folder}/shop.db"]
        python = [sys.executable, "-m", "eitherway"]
        return {
            "gateway": [*python, "gateway", "shop:app", "--port", "{port}", *engine],
            "worker": [*python, "worker", "shop:app", *engine],
        }

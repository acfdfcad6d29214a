"""The peers that stand beside eitherway: what each is made of, started and stopped for a run."""

from __future__ import annotations

import argparse
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import services
from harness import HERE, console, free_port, process, wait_for
from services import Database, Server, Store

_PYTHON = str(services.PEERS / "bin" / "python")


@dataclass(frozen=True)
class Peer:
    """FastAPI with a library that moves jobs, and the store of those."""

    title: str
    module: str  # in peers/
    service: Callable[[Path], AbstractContextManager[Server | Database | Store]]
    prepared: bool = False  # it has a schema to make first


PEERS: Mapping[str, Peer] = {
    "celery-redis": Peer("FastAPI + Celery + Redis, always", "celery_app", services.redis),
    "celery-rabbitmq": Peer("FastAPI + Celery + RabbitMQ", "celery_app", services.rabbitmq),
    "taskiq-nats": Peer("FastAPI + Taskiq + JetStream, always", "taskiq_app", services.nats),
    "pgqueuer": Peer("FastAPI + PgQueuer", "pgqueuer_app", services.postgresql, prepared=True),
    "dbos": Peer("FastAPI + DBOS on SQLite", "dbos_app", services.sqlite, prepared=True),
}


class Running:
    """A peer whose store is up."""

    def __init__(self, peer: Peer, folder: Path, store: Server | Database | Store) -> None:
        self.peer = peer
        self.store = store
        self.done = folder / "done"
        self._folder = folder
        self._environment = {
            "BROKER": store.url,
            "DONE": str(self.done),
            "PYTHONPATH": str(HERE / "peers"),
        }

    @contextmanager
    def web(self) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
        """Its gateway: where orders are taken, and the process."""
        with fastapi(f"{self.peer.module}:app", self._folder, self._environment) as served:
            yield served

    def run(self, *command: str) -> None:
        """One of its commands, to the end."""
        with self._process(*command) as started:
            if started.wait(600):
                raise SystemExit((self._folder / "peer.log").read_text())

    @contextmanager
    def worker(self) -> Iterator[subprocess.Popen[bytes]]:
        """What runs its jobs."""
        with self._process("worker") as started:
            yield started

    def done_lines(self) -> list[str]:
        """A line for each job that ran: its id, and when."""
        return self.done.read_text().splitlines() if self.done.exists() else []

    def _process(self, *command: str) -> AbstractContextManager[subprocess.Popen[bytes]]:
        arguments = [str(HERE / "peers" / f"{self.peer.module}.py"), *command]
        log = self._folder / "peer.log"
        return process(arguments, log, program=_PYTHON, environment=self._environment)


@contextmanager
def running(name: str, made: Path) -> Iterator[Running]:
    """A peer, with its store in a folder of its own below `made`."""
    peer = PEERS[name]
    folder = made / f"{name}-{free_port()}"
    folder.mkdir()
    with peer.service(folder) as store:
        started = Running(peer, folder, store)
        if peer.prepared:
            started.run("prepare")
        yield started


@contextmanager
def fastapi(
    target: str, folder: Path, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A FastAPI application under uvicorn: where it is, and the process."""
    port = free_port()
    uvicorn = ["-m", "uvicorn", target, "--port", str(port), "--no-access-log"]
    uvicorn += ["--loop", "uvloop", "--http", "httptools", "--log-level", "warning"]
    environment = environment or {"PYTHONPATH": str(HERE / "peers")}
    log = folder / "web.log"
    with process(uvicorn, log, program=_PYTHON, environment=environment) as started:
        wait_for(f"http://127.0.0.1:{port}/openapi.json")
        yield f"http://127.0.0.1:{port}", started


def add_option(options: argparse.ArgumentParser, default: str) -> None:
    """`--peers`."""
    options.add_argument(
        "--peers", default=default, help=f"of {', '.join(PEERS)}; `all`, or an empty text for none"
    )


def chosen(names: str) -> list[str]:
    """Those that `--peers` names."""
    wanted = list(PEERS) if names == "all" else [name for name in names.split(",") if name]
    if wrong := [name for name in wanted if name not in PEERS]:
        raise SystemExit(f"no peer {', '.join(wrong)}: choose of {', '.join(PEERS)}")
    if wanted:
        console.print(f"beside: {', '.join(wanted)}")
    return wanted

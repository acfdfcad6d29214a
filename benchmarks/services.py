"""The servers of the peers, each in a folder of its own, synced to disk before it answers."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

from harness import HERE, family, free_port, kill, process

sys.path.insert(0, str(HERE.parent / "tests"))

from postgres import Postgres

PEERS = HERE.parent / ".dev" / "peers"
_RABBITMQ = Path("/usr/lib/rabbitmq/bin")  # where Debian has it; /usr/sbin changes to another user


class Server:
    """A server that can be killed and started again on what it has written."""

    def __init__(
        self,
        url: str,
        command: Sequence[str],
        folder: Path,
        port: int,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.url = url
        self._command = command
        self._folder = folder
        self._port = port
        self._environment = environment
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        program, *arguments = self._command
        log, environment = self._folder / "log", self._environment
        started = process(arguments, log, program=program, environment=environment)
        self._process = self._stack.enter_context(started)
        _listens(self._port)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def kill_and_start(self) -> None:
        """As a crash of it would be, with what its machine had not written still there."""
        kill(self._process.pid)
        self._stack.close()
        self.__enter__()


@contextmanager
def redis(folder: Path) -> Iterator[Server]:
    """Redis with its append-only file, synced always."""
    port = free_port()
    flags = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    flags += ["--appendonly", "yes", "--appendfsync", "always"]
    url = f"redis://127.0.0.1:{port}/0"
    with Server(url, [_found("redis-server"), *flags], folder, port) as server:
        yield server


@contextmanager
def rabbitmq(folder: Path) -> Iterator[Server]:
    """RabbitMQ; a publisher's confirm of a persistent message is a sync."""
    port, epmd, distribution = free_port(), free_port(), free_port()
    environment = {
        "RABBITMQ_NODENAME": f"bench-{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_MNESIA_BASE": str(folder),
        "RABBITMQ_LOG_BASE": str(folder),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "ERL_EPMD_PORT": str(epmd),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "HOME": str(folder),
    }
    url, command = f"amqp://guest:guest@127.0.0.1:{port}//", [str(_RABBITMQ / "rabbitmq-server")]
    try:
        with Server(url, command, folder, port, environment) as server:
            yield server
    finally:
        ended = {**os.environ, "ERL_EPMD_PORT": str(epmd)}
        subprocess.run(["epmd", "-kill"], env=ended, capture_output=True, check=False)


@contextmanager
def nats(folder: Path) -> Iterator[Server]:
    """One NATS server with JetStream, which syncs each write."""
    port = free_port()
    settings = folder / "nats.conf"
    store = f'jetstream {{ store_dir: "{folder}", sync_interval: always }}'
    settings.write_text(f"listen: 127.0.0.1:{port}\n{store}\n")
    command = [str(PEERS / "bin" / "nats-server"), "-c", str(settings)]
    with Server(f"nats://127.0.0.1:{port}", command, folder, port) as server:
        yield server


class Store:
    """What is no process of its own."""

    def __init__(self, url: str) -> None:
        self.url = url


class Database:
    """PostgreSQL, which `pg_ctl` starts and stops."""

    def __init__(self, url: str, server: Postgres) -> None:
        self.url = url
        self._server = server

    def kill_and_start(self) -> None:
        """As of a `Server`."""
        pid = int((self._server.data / "postmaster.pid").read_text().split()[0])
        processes = family(pid)
        kill(pid)
        _gone(processes)  # or it does not start
        self._server.start()


@contextmanager
def postgresql(_: Path) -> Iterator[Database]:
    """PostgreSQL as Debian ships it, synced at each commit."""
    with Postgres(fsync="on") as server:
        server.connect("postgres").execute("CREATE DATABASE bench")
        yield Database(f"postgresql://postgres@/bench?host={server.folder}", server)


@contextmanager
def sqlite(folder: Path) -> Iterator[Store]:
    """A file: no server."""
    yield Store(f"sqlite:///{folder / 'peer.db'}")


def _listens(port: int, seconds: float = 60) -> None:
    """Return once somebody accepts connections there."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"nobody listens on port {port}")


def _gone(processes: Sequence[int], seconds: float = 60) -> None:
    """Return once there are none of these any more."""
    end = time.monotonic() + seconds
    while any(Path(f"/proc/{one}").exists() for one in processes):
        if time.monotonic() > end:
            raise TimeoutError(f"killed, and still there: {processes}")
        time.sleep(0.01)


def _found(program: str) -> str:
    for place in (shutil.which(program), HERE.parent / ".dev" / program):
        if place is not None and Path(place).exists():
            return str(place)
    sys.exit(f"this benchmark needs {program}")

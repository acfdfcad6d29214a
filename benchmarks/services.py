"""The servers of the peers, each in a folder of its own, synced to disk before it answers."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness import HERE, free_port, process

sys.path.insert(0, str(HERE.parent / "tests"))

from postgres import Postgres

PEERS = HERE.parent / ".dev" / "peers"
_RABBITMQ = Path("/usr/lib/rabbitmq/bin")  # where Debian has it; /usr/sbin changes to another user


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """Redis with its append-only file, synced always."""
    port = free_port()
    flags = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    flags += ["--appendonly", "yes", "--appendfsync", "always"]
    with _server([_found("redis-server"), *flags], folder, port):
        yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def rabbitmq(folder: Path) -> Iterator[str]:
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
    command = [str(_RABBITMQ / "rabbitmq-server")]
    try:
        with _server(command, folder, port, environment=environment, seconds=60):
            yield f"amqp://guest:guest@127.0.0.1:{port}//"
    finally:
        ended = {**os.environ, "ERL_EPMD_PORT": str(epmd)}
        subprocess.run(["epmd", "-kill"], env=ended, capture_output=True, check=False)


@contextmanager
def postgresql(_: Path) -> Iterator[str]:
    """PostgreSQL as Debian ships it, synced at each commit."""
    with Postgres(fsync="on") as server:
        server.connect("postgres").execute("CREATE DATABASE bench")
        yield f"postgresql://postgres@/bench?host={server.folder}"


@contextmanager
def nats(folder: Path) -> Iterator[str]:
    """One NATS server with JetStream, which syncs each write."""
    port = free_port()
    settings = folder / "nats.conf"
    store = f'jetstream {{ store_dir: "{folder}", sync_interval: always }}'
    settings.write_text(f"listen: 127.0.0.1:{port}\n{store}\n")
    with _server([str(PEERS / "bin" / "nats-server"), "-c", str(settings)], folder, port):
        yield f"nats://127.0.0.1:{port}"


@contextmanager
def sqlite(folder: Path) -> Iterator[str]:
    """A file: no server."""
    yield f"sqlite:///{folder / 'peer.db'}"


Service = Callable[[Path], "contextmanager[str]"]


@contextmanager
def _server(
    command: Sequence[str],
    folder: Path,
    port: int,
    *,
    environment: Mapping[str, str] | None = None,
    seconds: float = 20,
) -> Iterator[None]:
    with process(command[1:], folder / "log", program=command[0], environment=environment):
        _listens(port, seconds)
        yield


def _listens(port: int, seconds: float) -> None:
    """Return once somebody accepts connections there."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"nobody listens on port {port}")


def _found(program: str) -> str:
    for place in (shutil.which(program), HERE.parent / ".dev" / program):
        if place is not None and Path(place).exists():
            return str(place)
    sys.exit(f"this benchmark needs {program}")

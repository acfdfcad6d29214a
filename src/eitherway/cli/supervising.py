"""The processes of `eitherway run`: the first by a fork, where that can be, others by command."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from ..app import App
from ..otel import set_up_sdk
from ..settings import Settings
from ..worker.scaling import Scaling
from .forking import Forked, Forks
from .living import run_loop
from .options import gateway_flags, shared_flags
from .supervisor import Supervisor
from .working import work


def supervise(
    app: App,
    target: str,
    settings: Settings,
    listener: socket.socket,
    *,
    scaling: Scaling,
    by_fork: bool,
    reload: bool,
) -> NoReturn:
    """Serve the app in a gateway and workers until told to stop, and leave this process."""
    listener.set_inheritable(True)
    gateway = [*gateway_flags(settings), "--supervised", "--listener", str(listener.fileno())]
    worker = [*shared_flags(settings), "--supervised"]
    if settings.metrics_port is not None:
        worker += ["--metrics-port", str(settings.metrics_port)]
    forked = _fork(app, target, settings, listener, scaling.least) if by_fork else {}
    supervisor = Supervisor(
        gateway=["gateway", target, *gateway],
        worker=["worker", target, *worker],
        scaling=scaling,
        engine_url=app.engine_url(settings),
        listener=listener,
        drain_seconds=settings.drain_seconds,
        check=["run", target, *shared_flags(settings), "--check"],
        forked=forked,
        watched=Path.cwd() if reload else None,
    )
    sys.exit(asyncio.run(supervisor.run()))


def _fork(
    app: App, target: str, settings: Settings, listener: socket.socket, workers: int
) -> Mapping[str, list[Forked]]:
    """The first gateway and workers, which have the app from this process."""
    forks = Forks()

    def gateway() -> None:
        from .serving import serve_gateway  # noqa: PLC0415 - workers need no server

        set_up_sdk(settings, app.name)
        run_loop(serve_gateway(app, settings, listener, supervised=True))

    def worker() -> None:
        listener.close()  # or it would listen for as long as this one lives
        set_up_sdk(settings, app.name)
        run_loop(work(app, settings, target, supervised=True))

    return {
        "gateway": [forks.start(["gateway", target], gateway)],
        "worker": [forks.start(["worker", target], worker) for _ in range(workers)],
    }

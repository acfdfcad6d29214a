"""A worker's own `/metrics`, `/livez` and `/readyz`, on a port beside its work."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any, cast

import uvicorn

from ..attempt.runtime import Runtime
from ..errors import ConfigurationError
from ..gateway.health import Health
from ..gateway.monitor import Monitor
from ..server.bounds import Bounds
from ..server.connection import Connection
from ..server.crowd import Crowd

logger = logging.getLogger("eitherway")

_PORTS = 32
"""Workers side by side have the same setting: each takes the first free port from there on."""


@asynccontextmanager
async def monitored(runtime: Runtime, first_port: int) -> AsyncIterator[Health]:
    """Serve them while the block runs. Gives what is to know of a drain."""
    monitor, settings = Monitor(runtime), runtime.settings
    listener = _bind(settings.host, first_port)
    logger.info("/metrics of this worker: http://%s:%d/metrics", *listener.getsockname()[:2])
    crowd = Crowd(Bounds.of(settings))
    http = cast("Any", partial(Connection, crowd=crowd))
    server = _Quiet(
        uvicorn.Config(monitor, http=http, lifespan="off", log_config=None, access_log=False)
    )
    crowd.start()
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield monitor.health
    finally:
        server.should_exit = True
        await serving
        crowd.stop()


class _Quiet(uvicorn.Server):
    """uvicorn, which leaves the signals to the worker."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _bind(host: str, first: int) -> socket.socket:
    for port in range(first, min(first + _PORTS, 65_536)):
        try:
            listener = socket.create_server((host, port), reuse_port=False)
        except OSError:
            continue
        listener.settimeout(0)
        return listener
    raise ConfigurationError(
        f"no port of {host}:{first} to {first + _PORTS - 1} is free: choose another with "
        "--metrics-port"
    )

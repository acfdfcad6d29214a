"""The process that serves an app over HTTP, and may run its jobs, too, until it is told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import Any, cast

import uvicorn

from ..app import App
from ..attempt.metrics import Metrics
from ..server.bounds import Bounds
from ..server.connection import Connection
from ..server.crowd import Crowd
from ..settings import Settings
from ..worker.worker import Worker
from .living import REQUESTS_OBJECTS, keep_heap, watch_supervisor
from .quarantine import QuarantineProcess

WEBSOCKETS: Mapping[str, Any] = {
    "ws": "wsproto",
    "ws_max_size": 64 * 1024,
    "ws_ping_interval": 20.0,
    "ws_ping_timeout": 20.0,
    "ws_per_message_deflate": False,
}
"""How uvicorn speaks WebSocket: messages from clients are small, the idle are asked for a pong."""


async def serve_gateway(
    app: App,
    settings: Settings,
    listener: socket.socket,
    *,
    supervised: bool,
    serves: int | None = None,
) -> None:
    """Serve HTTP until SIGTERM or SIGINT, then finish what is in flight."""
    runtime = await app.open(settings)
    try:
        server = _Server(app, settings, runtime.metrics, serves)
        await server.run(listener, supervised=supervised)
        await app.drain(server.drain_seconds_left)
    finally:
        await app.close()


async def serve_single(app: App, settings: Settings, target: str, listener: socket.socket) -> None:
    """Gateway and worker in one process, until SIGTERM or SIGINT."""
    runtime = await app.open(settings)
    try:
        async with QuarantineProcess(target, settings) as quarantine:
            worker = Worker(runtime, quarantine.run)
            await worker.start()
            server = _Server(app, settings, runtime.metrics)
            served = asyncio.create_task(server.run(listener, supervised=False))
            await server.exiting.wait()
            await asyncio.gather(served, worker.drain(settings.drain_seconds))
            await app.drain(server.drain_seconds_left)
    finally:
        await app.close()


class _Server(uvicorn.Server):
    """uvicorn, which says that it is not ready before it stops to listen."""

    def __init__(
        self, app: App, settings: Settings, metrics: Metrics, serves: int | None = None
    ) -> None:
        self._serves = serves  # a pipe of the supervisor, told once
        self._crowd = Crowd(Bounds.of(settings), metrics.refuse)
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="off",  # the app is opened with its settings already
                http=cast("Any", partial(Connection, crowd=self._crowd)),
                **WEBSOCKETS,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=max(1, round(settings.drain_seconds)),
            )
        )
        self._app = app
        self._drain_seconds = settings.drain_seconds
        self._exit_at: float | None = None
        self._loop = asyncio.get_running_loop()
        self.exiting = asyncio.Event()  # it stops to listen, and finishes what is in flight

    async def run(self, listener: socket.socket, *, supervised: bool) -> None:  # type: ignore[override]  # uvicorn's is blocking
        # uvicorn raises the signals it caught again when it is done: let them end here
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        if supervised:
            watch_supervisor(lambda: self.handle_exit(signal.SIGTERM, None))
        self._app.bound_to(listener.getsockname()[0])
        self._crowd.start()
        try:
            await self.serve(sockets=[listener])
        finally:
            self._crowd.stop()
            self.exiting.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        keep_heap(REQUESTS_OBJECTS)
        if self._serves is not None:
            with suppress(OSError):  # nobody waits for it
                os.write(self._serves, b"1")

    @property
    def drain_seconds_left(self) -> float:
        """What is left of the time that running attempts get."""
        since = self._loop.time() - (self._exit_at or self._loop.time())
        return max(0.0, self._drain_seconds - since)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._exit_at = self._exit_at or self._loop.time()
        self._app.begin_drain()
        self._loop.call_soon_threadsafe(self.exiting.set)
        super().handle_exit(sig, frame)

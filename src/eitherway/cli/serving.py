"""Running one process of an app: a gateway, a worker, or both, until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import Any, cast

import uvicorn
import uvloop

from ..app import App
from ..attempt.metrics import Metrics
from ..errors import ConfigurationError
from ..server.bounds import Bounds
from ..server.connection import Connection
from ..server.crowd import Crowd
from ..settings import Settings
from ..worker.worker import Worker, run_suspects
from .monitoring import monitored
from .quarantine import QuarantineProcess

logger = logging.getLogger("eitherway")

_STDIN = 0
_UNREAD_SECONDS = 60

WEBSOCKETS: Mapping[str, Any] = {
    "ws": "wsproto",
    "ws_max_size": 64 * 1024,
    "ws_ping_interval": 20.0,
    "ws_ping_timeout": 20.0,
    "ws_per_message_deflate": False,
}
"""How uvicorn speaks WebSocket: messages from clients are small, the idle are asked for a pong."""


def bind(settings: Settings) -> socket.socket:
    """A listening socket. `ConfigurationError`, one line, when the address is not to be had."""
    try:
        listener = socket.create_server(
            (settings.host, settings.port), backlog=2048, reuse_port=False
        )
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror or error}; "
            "choose another with --port"
        ) from None
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # a peer that takes nothing is not waited for
        milliseconds = _UNREAD_SECONDS * 1000
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
    listener.settimeout(0)
    return listener


def url_of(listener: socket.socket) -> str:
    """Where a listening socket is reached."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def run_loop(main: Coroutine[Any, Any, None]) -> None:
    """Run to the end, then leave the process, also past plain handlers that never return."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


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


async def work(app: App, settings: Settings, target: str, *, supervised: bool) -> None:
    """Run queued jobs until SIGTERM or SIGINT, then drain."""
    runtime = await app.open(settings, serving=False)
    try:
        stop = _stop_event(supervised=supervised)
        async with (
            monitored(runtime, settings) as health,
            QuarantineProcess(target, settings) as quarantine,
        ):
            worker = Worker(runtime, quarantine.run)
            await worker.start()
            await worker.wait_until(stop)
            health.draining = True
            logger.info("draining")
            await worker.drain(settings.drain_seconds)
    finally:
        await app.close()


async def work_alone(app: App, settings: Settings) -> None:
    """Run the suspects that wait, each alone in this process, then end."""
    runtime = await app.open(settings, serving=False)
    try:
        await run_suspects(runtime, _stop_event(supervised=True), settings.drain_seconds)
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
            _watch_supervisor(lambda: self.handle_exit(signal.SIGTERM, None))
        self._app.bound_to(listener.getsockname()[0])
        self._crowd.start()
        try:
            await self.serve(sockets=[listener])
        finally:
            self._crowd.stop()
            self.exiting.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
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


def _stop_event(*, supervised: bool) -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if supervised:
        _watch_supervisor(stop.set)
    return stop


def _watch_supervisor(ended: Callable[[], object]) -> None:
    """Call `ended` when the parent is gone, however it went: its end of our stdin closes."""
    loop = asyncio.get_running_loop()

    def read() -> None:
        if not os.read(_STDIN, 1024):
            loop.remove_reader(_STDIN)
            ended()

    loop.add_reader(_STDIN, read)

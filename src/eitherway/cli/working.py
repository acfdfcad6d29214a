"""The process that runs an app's queued jobs, until it is told to stop."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from ..app import App
from ..attempt.runtime import Runtime
from ..settings import Settings
from ..worker.worker import Worker, run_suspects
from .living import JOBS_OBJECTS, keep_heap, stop_event
from .quarantine import QuarantineProcess

if TYPE_CHECKING:
    from ..gateway.health import Health

logger = logging.getLogger("eitherway")


async def work(app: App, settings: Settings, target: str, *, supervised: bool) -> None:
    """Run queued jobs until SIGTERM or SIGINT, then drain."""
    runtime = await app.open(settings, serving=False)
    try:
        stop = stop_event(supervised=supervised)
        async with (
            _monitored(runtime) as health,
            QuarantineProcess(target, settings) as quarantine,
        ):
            worker = Worker(runtime, quarantine.run)
            runtime.engine.may_block = worker.is_waiting
            await worker.start()
            keep_heap(JOBS_OBJECTS)
            await worker.wait_until(stop)
            if health is not None:
                health.draining = True
            if running := len(worker.leases):
                logger.info("draining: %d attempts still run", running)
            await worker.drain(settings.drain_seconds)
    finally:
        await app.close()


async def work_alone(app: App, settings: Settings) -> None:
    """Run the suspects that wait, each alone in this process, then end."""
    runtime = await app.open(settings, serving=False)
    try:
        await run_suspects(runtime, stop_event(supervised=True), settings.drain_seconds)
    finally:
        await app.close()


@asynccontextmanager
async def _monitored(runtime: Runtime) -> AsyncIterator[Health | None]:
    port = runtime.settings.metrics_port
    if port is None:
        yield None
        return
    from .monitoring import monitored  # noqa: PLC0415 - few workers have a server of their own

    async with monitored(runtime, port) as health:
        yield health

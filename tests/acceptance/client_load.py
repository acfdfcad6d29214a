"""A shop whose gateway dies now and then while clients use it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable

from service import Service, tick

DELIVERIES = ("direct", "queued", "auto")


async def kill_gateway(service: Service) -> None:
    """SIGKILL; the supervisor starts another one on the same port."""
    while "gateway" not in (children := service.children()):
        await tick()
    os.kill(children["gateway"], signal.SIGKILL)
    while service.children().get("gateway") in (None, children["gateway"]):
        await tick()


async def kill_while(
    service: Service, work: asyncio.Future, done: Callable[[], int], every: int
) -> int:
    """Kill the gateway after each so many that are done, until all work is; how often."""
    kills = 0
    while not work.done():
        if done() >= (kills + 1) * every:
            await kill_gateway(service)
            kills += 1
        await tick()
    return kills

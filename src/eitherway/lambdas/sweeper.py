"""The function of each minute: what a worker's reaper does each second, for the whole stack."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from ..worker.reaper import Reaper
from .environment import Environment, Invocation, LambdaContext

logger = logging.getLogger("eitherway.worker")

_environment = Environment(serving=False)


def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, int]:  # noqa: ARG001 - it says nothing
    """Settle what is overdue, send hints again, purge; how many jobs were settled, and purged."""
    return _environment.run(context, sweep)


async def sweep(invocation: Invocation) -> dict[str, int]:
    """The same, in an invocation under way. What its time is too short for, the next one does."""
    reaper, done = Reaper(invocation.runtime), {"settled": 0, "purged": 0}
    try:
        async with asyncio.timeout(invocation.seconds_left):
            done["settled"] = await reaper.reap()
            done["purged"] = await reaper.purge()
    except TimeoutError:
        logger.warning("no time left to sweep: the next minute goes on with it")
    return done

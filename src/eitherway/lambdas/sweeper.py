"""The function of each minute: what a worker's reaper does each second, for the whole stack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..worker.reaper import Reaper
from .environment import Environment, Invocation, LambdaContext

_environment = Environment(serving=False)


def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, int]:  # noqa: ARG001 - it says nothing
    """Settle what is overdue, send hints again, purge; how many jobs were settled, and purged."""
    return _environment.run(context, sweep)


async def sweep(invocation: Invocation) -> dict[str, int]:
    """The same, in an invocation under way."""
    reaper = Reaper(invocation.runtime)
    return {"settled": await reaper.reap(), "purged": await reaper.purge()}

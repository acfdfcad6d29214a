"""A worker: consumer, lease keeper, reaper and quarantine, started and drained together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from ..attempt.leases import LeaseKeeper, finish_or_give_back
from ..attempt.runtime import Runtime
from ..errors import EngineError
from .consumer import Consumer, demand
from .reaper import Reaper

logger = logging.getLogger("eitherway.worker")

Quarantine = Callable[[], Awaitable[None]]
"""Has suspects run, each alone in a process of its own; returns when none is left."""

_IDLE_SECONDS = 20.0


class Worker:
    """Runs queued jobs until it is drained."""

    def __init__(self, runtime: Runtime, quarantine: Quarantine | None = None) -> None:
        self._runtime = runtime
        self._quarantine = quarantine
        self.leases = LeaseKeeper(runtime)
        self._consumer = Consumer(runtime, self.leases)
        self._intake: asyncio.Task[None] | None = None
        self._others: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to receive. Idempotent."""
        if self._intake is not None:
            return
        self._intake = asyncio.create_task(self._consumer.run())
        loops = [self.leases.run(), Reaper(self._runtime).run()]
        if self._quarantine is not None:
            loops.append(self._watch_suspects(self._quarantine))
        self._others = [asyncio.create_task(loop) for loop in loops]

    def is_waiting(self) -> bool:
        """Whether no attempt goes on here: what it holds, if anything, is being settled."""
        return len(self.leases) <= self._runtime.settler.waiting

    async def wait_until(self, stop: asyncio.Event) -> None:
        """Return when `stop` is set; raise what ended one of the worker's own loops before."""
        stopped = asyncio.create_task(stop.wait())
        loops = [*self._others, self._intake] if self._intake is not None else self._others
        done, _ = await asyncio.wait({stopped, *loops}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        for ended in done - {stopped}:
            ended.result()

    async def drain(self, drain_seconds: float) -> None:
        """Stop intake, let attempts finish for `drain_seconds`, give the rest back. Idempotent."""
        if self._intake is None:
            return
        self._consumer.stop()
        await self._intake
        self._intake = None
        await finish_or_give_back(self._runtime, self.leases, drain_seconds)
        await _end(self._others)

    async def _watch_suspects(self, quarantine: Quarantine) -> None:
        worked = self._runtime.worked
        while True:
            suspects = [demand(self._runtime, each, 1, alone=True) for each in worked]
            try:
                if await self._runtime.engine.ready(suspects, _IDLE_SECONDS):
                    await quarantine()
            except EngineError as error:
                logger.warning("cannot look for suspects: %s", error)
                await self._runtime.clock.sleep(1)


async def run_suspects(
    runtime: Runtime, stop: asyncio.Event | None = None, drain_seconds: float = 0.0
) -> int:
    """Run suspects, one at a time and nothing else, until none waits or `stop` is set; how many."""
    leases = LeaseKeeper(runtime)
    consumer = Consumer(runtime, leases, alone=True)
    keeper = asyncio.create_task(leases.run())
    total = 0
    try:
        while (stop is None or not stop.is_set()) and await consumer.receive_once(0):
            total += 1
            if stop is not None:
                await _stopped_or_idle(stop, leases)
            await finish_or_give_back(runtime, leases, None if stop is None else drain_seconds)
    finally:
        await _end([keeper])
    return total


async def _stopped_or_idle(stop: asyncio.Event, leases: LeaseKeeper) -> None:
    ends = [asyncio.ensure_future(stop.wait()), asyncio.ensure_future(leases.emptied())]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    for one in ends:
        one.cancel()


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError):
            await task

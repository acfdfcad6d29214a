"""One thin parent over a gateway and workers: keeps them alive, scales, replaces, drains them."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..clock import SystemClock
from ..engine.contract import Engine
from ..engine.loader import load_engine
from ..errors import EngineError
from ..ids import Randomness
from ..worker.scaling import Load, Scaling
from .children import CONFIGURATION_EXIT, LIFESPAN_EXIT, Child
from .forking import Forked
from .reloading import watch

logger = logging.getLogger("eitherway")

_LOOK_SECONDS = 0.5


class Supervisor:
    """A gateway and as many workers as `scaling` asks for, until SIGTERM or SIGINT."""

    def __init__(
        self,
        *,
        gateway: Sequence[str],
        worker: Sequence[str],
        scaling: Scaling,
        engine_url: str,
        listener: socket.socket,
        drain_seconds: float,
        check: Sequence[str],
        forked: Mapping[str, list[Forked]],
        watched: Path | None = None,
    ) -> None:
        self._check = check
        self._forked = forked  # by name, those that run already
        self._watched = watched
        self._gateway = gateway
        self._worker = worker
        self._scaling = scaling
        self._engine_url = engine_url
        self._listener = listener
        self._drain_seconds = drain_seconds
        self._stop = asyncio.Event()
        self._reload = asyncio.Event()
        self._workers: list[Child] = []
        self._children: set[Child] = set()
        self._started = False  # with as many as there are at first
        self._exit_code = 0

    async def run(self) -> int:
        """Supervise until told to stop, or until one of the first children cannot be configured."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload.set)
        os.close(self._add_all(self._scaling.least))
        self._started = True
        beside = [asyncio.create_task(self._scale()), asyncio.create_task(self._reload_when_told())]
        if self._watched is not None:
            watching = watch(self._watched, SystemClock(), self._reload.set)
            beside.append(asyncio.create_task(watching))
        await self._stop.wait()
        self._listener.close()  # or new clients would wait for a gateway that is gone
        for task in beside:
            task.cancel()
        for child in self._children:
            child.stop()
        await asyncio.gather(*(child.ended for child in self._children))
        return self._exit_code

    def _add_all(self, workers: int) -> int:
        """New processes; what is written to once the gateway serves, to be read from and closed."""
        serves, said = os.pipe()
        gateway = [*self._gateway, "--serves", str(said)]
        child = self._add("gateway", gateway, pass_fds=[self._listener.fileno(), said])
        child.ended.add_done_callback(lambda _: os.close(said))  # it may be started again
        for _ in range(workers):
            self._add_worker()
        return serves

    async def _reload_when_told(self) -> None:
        """On SIGHUP, or when a watched file has changed: new processes, then the old ones drain.

        Both gateways accept from the one listening socket meanwhile, so nobody is turned away.
        """
        while True:
            await self._reload.wait()
            self._reload.clear()
            if not await self._can_be_loaded():
                logger.error("what runs goes on as it is")
                continue
            old, workers = set(self._children), self._workers
            self._workers = []
            serves = self._add_all(len(workers))
            if await _is_readable(serves, unless=self._reload):
                logger.info("loaded again")
            else:  # it does not come up, and another one is to be tried
                old, self._workers = self._children - old, workers
            for child in old:
                child.stop()

    async def _can_be_loaded(self) -> bool:
        """Whether the app, as it is on disk now, and its engine will do; else it is said why."""
        command = [sys.executable, "-m", "eitherway", *self._check]
        checked = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL)
        return await checked.wait() == 0

    def _add(self, name: str, command: Sequence[str], pass_fds: Sequence[int] = ()) -> Child:
        final = set() if self._started else {CONFIGURATION_EXIT, LIFESPAN_EXIT}
        forked = self._forked.get(name)
        child = Child(
            name,
            command,
            pass_fds=pass_fds,
            drain_seconds=self._drain_seconds,
            final=final,
            first=forked.pop() if forked else None,
        )
        self._children.add(child)
        child.ended.add_done_callback(lambda task: self._ended(child, task.result()))
        return child

    def _ended(self, child: Child, exit_code: int) -> None:
        self._children.discard(child)
        if exit_code:
            self._exit_code = exit_code
            self._stop.set()

    def _add_worker(self) -> None:
        self._workers.append(self._add("worker", self._worker))

    async def _scale(self) -> None:
        if self._scaling.least == self._scaling.most:
            return
        clock = SystemClock()
        engine = load_engine(self._engine_url, clock=clock, randomness=Randomness())
        try:
            await engine.open()
            while True:
                await clock.sleep(_LOOK_SECONDS)
                await self._look(engine, clock.now())
        finally:
            await engine.close()

    async def _look(self, engine: Engine, now: float) -> None:
        try:
            load = Load.of(await engine.statistics())
        except EngineError as error:
            logger.warning("cannot see what waits: %s", error)
            return
        wanted = self._scaling.wanted(len(self._workers), load, now)
        if wanted > len(self._workers):
            self._add_worker()
            logger.info("jobs wait: %d workers now", wanted)
        elif wanted < len(self._workers):
            self._workers.pop().stop()
            logger.info("nothing to do: %d workers now", wanted)


async def _is_readable(descriptor: int, *, unless: asyncio.Event) -> bool:
    """True once there is something to read; False where the event comes first. Closes it."""
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, told.set)
    waiting = [asyncio.ensure_future(event.wait()) for event in (told, unless)]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        return told.is_set()
    finally:
        for task in waiting:
            task.cancel()
        loop.remove_reader(descriptor)
        os.close(descriptor)

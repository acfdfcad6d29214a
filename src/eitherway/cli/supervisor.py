"""One thin parent over a gateway and workers: keeps them alive, scales them, drains them."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Sequence

from ..clock import SystemClock
from ..engine.contract import Engine
from ..engine.loader import load_engine
from ..errors import EngineError
from ..ids import Randomness
from ..worker.scaling import Load, Scaling
from .children import CONFIGURATION_EXIT, LIFESPAN_EXIT, Child

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
    ) -> None:
        self._gateway = gateway
        self._worker = worker
        self._scaling = scaling
        self._engine_url = engine_url
        self._listener = listener
        self._drain_seconds = drain_seconds
        self._stop = asyncio.Event()
        self._workers: list[Child] = []
        self._children: set[Child] = set()
        self._started = False  # with as many as there are at first
        self._exit_code = 0

    async def run(self) -> int:
        """Supervise until told to stop, or until a child says that its configuration is wrong."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        self._add("gateway", self._gateway, pass_fds=[self._listener.fileno()])
        for _ in range(self._scaling.least):
            self._add_worker()
        self._started = True
        scaler = asyncio.create_task(self._scale())
        await self._stop.wait()
        self._listener.close()  # or new clients would wait for a gateway that is gone
        scaler.cancel()
        for child in self._children:
            child.stop()
        await asyncio.gather(*(child.ended for child in self._children))
        return self._exit_code

    def _add(self, name: str, command: Sequence[str], pass_fds: Sequence[int] = ()) -> Child:
        final = {CONFIGURATION_EXIT} if self._started else {CONFIGURATION_EXIT, LIFESPAN_EXIT}
        child = Child(
            name, command, pass_fds=pass_fds, drain_seconds=self._drain_seconds, final=final
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

"""One thin parent over a gateway and a worker: starts them, starts them again, drains them."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence

logger = logging.getLogger("eitherway")

CONFIGURATION_EXIT = 2
_PAUSE_SECONDS_MIN, _PAUSE_SECONDS_MAX = 0.1, 1.0
_SETTLED_SECONDS = 10.0


class Supervisor:
    """Keeps one process of each command alive until SIGTERM or SIGINT."""

    def __init__(
        self,
        commands: Sequence[tuple[str, Sequence[str]]],
        *,
        pass_fds: Sequence[int],
        drain_seconds: float,
    ) -> None:
        self._commands = commands
        self._pass_fds = pass_fds
        self._drain_seconds = drain_seconds
        self._stop = asyncio.Event()
        self.exit_code = 0

    async def run(self) -> int:
        """Supervise until told to stop, or until a child says that its configuration is wrong."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        await asyncio.gather(*(self._keep(name, command) for name, command in self._commands))
        return self.exit_code

    async def _keep(self, name: str, command: Sequence[str]) -> None:
        pause = _PAUSE_SECONDS_MIN
        while not self._stop.is_set():
            started = time.monotonic()
            child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "eitherway",
                *command,
                stdin=PIPE,  # closes when this process ends, and then the child drains
                pass_fds=self._pass_fds,
                start_new_session=True,  # Ctrl-C reaches us alone; we tell the children
            )
            await self._until_ended(child)
            if self._stop.is_set():
                return
            if child.returncode == CONFIGURATION_EXIT:
                self.exit_code = CONFIGURATION_EXIT
                self._stop.set()
                return
            if time.monotonic() - started > _SETTLED_SECONDS:
                pause = _PAUSE_SECONDS_MIN
            logger.warning("the %s ended (%s): starting it again", name, _cause(child.returncode))
            await self._pause(pause)
            pause = min(pause * 2, _PAUSE_SECONDS_MAX)

    async def _until_ended(self, child: Process) -> None:
        ended = asyncio.ensure_future(child.wait())
        stopped = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not ended.done():
            child.terminate()
            done, _ = await asyncio.wait({ended}, timeout=self._drain_seconds + 5)
            if not done:
                logger.warning("process %d did not drain in time", child.pid)
                child.kill()
        await ended

    async def _pause(self, seconds: float) -> None:
        stopped = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait({stopped}, timeout=seconds)
        stopped.cancel()


def _cause(returncode: int | None) -> str:
    if returncode is not None and returncode < 0:
        return signal.Signals(-returncode).name
    return f"exit code {returncode}"

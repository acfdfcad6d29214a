"""A child process kept alive: started, started again when it dies, drained when told to."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Coroutine, Sequence, Set
from typing import Any

from .forking import Forked

logger = logging.getLogger("eitherway")

CONFIGURATION_EXIT, LIFESPAN_EXIT = 2, 5
_PAUSE_SECONDS_MIN, _PAUSE_SECONDS_MAX = 0.1, 1.0
_SETTLED_SECONDS = 10.0
_GRACE_SECONDS = 5.0


class Child:
    """One `eitherway` command in a process of its own, for as long as it is wanted.

    It is not started again after one of the exit codes in `final`, at its first start, or as the
    fork that it is at `first`.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        pass_fds: Sequence[int],
        drain_seconds: float,
        final: Set[int],
        first: Forked | None = None,
    ) -> None:
        self.name = name
        self._final = final
        self._first = first
        self._command = command
        self._pass_fds = pass_fds
        self._drain_seconds = drain_seconds
        self._stop = asyncio.Event()
        self._task = asyncio.create_task(self._keep(), name=name)

    @property
    def ended(self) -> asyncio.Task[int]:
        """Done when it has ended for good: its exit code then, 0 when it was told to stop."""
        return self._task

    def stop(self) -> None:
        """Drain it, and do not start it again."""
        self._stop.set()

    async def _keep(self) -> int:
        pause = _PAUSE_SECONDS_MIN
        final: Set[int] = self._final
        while not self._stop.is_set():
            started = time.monotonic()
            child, self._first = self._first or await self._start(), None
            await self._until_ended(child)
            if self._stop.is_set():
                break
            if child.returncode is not None and child.returncode in final:
                return child.returncode
            final = set()  # it has been up: its files may be written, its stores away, for a while
            if time.monotonic() - started > _SETTLED_SECONDS:
                pause = _PAUSE_SECONDS_MIN
            logger.warning("the %s ended (%s): starting it again", self.name, _cause(child))
            await _first(self._stop.wait(), timeout_seconds=pause)
            pause = min(pause * 2, _PAUSE_SECONDS_MAX)
        return 0

    async def _start(self) -> Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "eitherway",
            *self._command,
            stdin=PIPE,  # closes when this process ends, and then the child drains
            pass_fds=self._pass_fds,
            start_new_session=True,  # Ctrl-C reaches us alone; we tell the children
        )

    async def _until_ended(self, child: Process | Forked) -> None:
        await _first(child.wait(), self._stop.wait())
        if child.returncode is not None:
            return
        child.terminate()
        await _first(child.wait(), timeout_seconds=self._drain_seconds + _GRACE_SECONDS)
        if child.returncode is None:
            logger.warning("the %s (%d) did not drain in time", self.name, child.pid)
            child.kill()
            await child.wait()


async def _first(*wishes: Coroutine[Any, Any, Any], timeout_seconds: float | None = None) -> None:
    """Return when one of the coroutines is done, or after the time; cancel the others."""
    tasks = [asyncio.ensure_future(wish) for wish in wishes]
    await asyncio.wait(tasks, timeout=timeout_seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


def _cause(child: Process | Forked) -> str:
    if child.returncode is not None and child.returncode < 0:
        return signal.Signals(-child.returncode).name
    return f"exit code {child.returncode}"

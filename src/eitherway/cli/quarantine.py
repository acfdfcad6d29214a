"""Suspects run in a child process, so that a job that kills its process takes nothing with it."""

from __future__ import annotations

import asyncio
import logging
import sys
from asyncio.subprocess import PIPE, Process
from typing import Self

from ..settings import Settings
from .options import shared_flags

logger = logging.getLogger("eitherway")


class QuarantineProcess:
    """Starts `eitherway worker --alone` when suspects wait; ends it with this process."""

    def __init__(self, target: str, settings: Settings) -> None:
        self._command = ["worker", target, "--alone", *shared_flags(settings)]
        if settings.operations:
            self._command += ["--operations", settings.operations]
        self._drain_seconds = settings.drain_seconds
        self._child: Process | None = None

    async def run(self) -> None:
        """Have the suspects that wait run; returns when the child has ended."""
        logger.info("suspects wait: running them alone, in a process of their own")
        self._child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "eitherway", *self._command, stdin=PIPE
        )
        status = await self._child.wait()
        if status:
            logger.warning("a suspect ended its process (%d)", status)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._child is None or self._child.returncode is not None:
            return
        if self._child.stdin is not None:
            self._child.stdin.close()  # the child takes it as its signal to drain
        try:
            await asyncio.wait_for(self._child.wait(), self._drain_seconds + 5)
        except TimeoutError:
            self._child.kill()
            await self._child.wait()

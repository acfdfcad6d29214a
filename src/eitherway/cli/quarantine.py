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

_CHILDREN_MAX = 4
_START_SECONDS = 2.0
_GRACE_SECONDS = 5.0
_PAUSE_SECONDS = 0.5


class QuarantineProcess:
    """Starts `eitherway worker --alone` while suspects wait, and ends it with this process.

    One child after the other, and beside one another up to `_CHILDREN_MAX`, so that a long suspect
    does not hold up the rest: each runs alone in a process of its own.
    """

    def __init__(self, target: str, settings: Settings) -> None:
        self._command = ["worker", target, "--alone", *shared_flags(settings)]
        if settings.operations:
            self._command += ["--operations", settings.operations]
        self._drain_seconds = settings.drain_seconds
        self._children: dict[Process, asyncio.Task[int]] = {}

    async def run(self) -> None:
        """Have a suspect run; returns when it is worth looking whether more wait."""
        logger.info("suspects wait: running them alone, in processes of their own")
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "eitherway", *self._command, stdin=PIPE
        )
        self._children[child] = ended = asyncio.create_task(child.wait())
        ended.add_done_callback(lambda _: self._ended(child))
        # by then it has taken its suspect, and whoever waits still is another
        await asyncio.wait({ended}, timeout=_START_SECONDS)
        if ended.done() and ended.result():
            await asyncio.sleep(_PAUSE_SECONDS)  # it may fail again at once, and again
        if len(self._children) >= _CHILDREN_MAX:
            await asyncio.wait(self._children.values(), return_when=asyncio.FIRST_COMPLETED)

    def _ended(self, child: Process) -> None:
        del self._children[child]
        if child.returncode:
            logger.warning("a suspect ended its process (%d)", child.returncode)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        children = dict(self._children)
        if not children:
            return
        for child in children:
            if child.stdin is not None:
                child.stdin.close()  # the child takes it as its signal to drain
        await asyncio.wait(children.values(), timeout=self._drain_seconds + _GRACE_SECONDS)
        for child, ended in children.items():
            if not ended.done():
                child.kill()
        await asyncio.wait(children.values())

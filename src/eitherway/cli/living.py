"""How long a process lives: until it is told to stop, or until the one that started it is gone."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

_STDIN = 0

REQUESTS_OBJECTS, JOBS_OBJECTS = 2_000, 10_000
"""New objects that are looked through together: some requests; a worker's group of jobs.

A gateway's are fewer, because a connection that is gone may hold much until it is looked at.
"""


def run_loop(main: Coroutine[Any, Any, None]) -> None:
    """Run to the end, then leave the process, also past plain handlers that never return."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def keep_heap(objects: int) -> None:
    """Spare the collector what the start has made, which stays; and have it look at so many."""
    gc.freeze()
    gc.set_threshold(objects)


def stop_event(*, supervised: bool) -> asyncio.Event:
    """Set on SIGTERM, on SIGINT, and when a supervisor is gone."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if supervised:
        watch_supervisor(stop.set)
    return stop


def watch_supervisor(ended: Callable[[], object]) -> None:
    """Call `ended` when the parent is gone, however it went: its end of our stdin closes."""
    loop = asyncio.get_running_loop()

    def read() -> None:
        if not os.read(_STDIN, 1024):
            loop.remove_reader(_STDIN)
            ended()

    loop.add_reader(_STDIN, read)

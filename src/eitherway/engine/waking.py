"""Wake-ups without polling, inside a process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from enum import StrEnum

from ..clock import Clock


class Topic(StrEnum):
    """What may be waited for."""

    WORK = "work"  # a job that waits to be received, now or later
    EVENTS = "events"


class Wake:
    """Wakes whoever waits for a topic. On the event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counts = dict.fromkeys(Topic, 0)
        self._waiting: dict[Topic, set[asyncio.Future[object]]] = {topic: set() for topic in Topic}
        self.closed = False

    def count(self, topic: Topic) -> int:
        """How often it was signalled: to be asked before one looks, and given to `wait`."""
        return self._counts[topic]

    async def wait(self, topic: Topic, seen: int, timeout_seconds: float) -> None:
        """Wait for a signal after the one `seen` before, at most `timeout_seconds`."""
        if self.closed or self._counts[topic] != seen:
            return
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._waiting[topic].add(future)
        try:
            await self._clock.wait(future, timeout_seconds)
        finally:
            self._waiting[topic].discard(future)

    def signal(self, topics: Iterable[Topic]) -> None:
        """Wake those who wait for these topics in this process."""
        for topic in topics:
            self._counts[topic] += 1
            for future in self._waiting[topic]:
                if not future.done():
                    future.set_result(None)

    def close(self) -> None:
        """Let everybody go, now and from now on."""
        self.closed = True
        self.signal(Topic)

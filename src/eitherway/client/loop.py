"""An event loop in a thread, for code that has none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Iterator
from threading import Lock, Thread
from typing import Any, TypeVar

from ..errors import ConfigurationError

T = TypeVar("T")


class LoopThread:
    """Runs coroutines for any thread. The thread starts with the first, and ends with `close`.

    It is a daemon: a program that forgets to close ends all the same.
    """

    def __init__(self) -> None:
        self.closed = False
        self._lock = Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: Thread | None = None

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What `work` returns or raises; it is cancelled where the caller is interrupted."""
        try:
            future = asyncio.run_coroutine_threadsafe(work, self._running())
        except ConfigurationError:
            work.close()
            raise
        try:
            return future.result()
        finally:
            future.cancel()  # a no-op unless it was interrupted

    def iterate(self, items: AsyncGenerator[T, None]) -> Iterator[T]:
        """The items, one by one."""
        try:
            while item := self.run(_next(items)):
                yield item[0]
        finally:
            if not self.closed:
                self.run(items.aclose())

    def close(self) -> None:
        """End the thread, and what runs in it. Idempotent."""
        with self._lock:
            self.closed = True
            loop, thread = self._loop, self._thread
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self.closed:
                raise ConfigurationError("the client is closed: make another one")
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = Thread(target=_serve, args=[self._loop], daemon=True)
                self._thread.name = "eitherway-client"
                self._thread.start()
            return self._loop


async def _next(items: AsyncGenerator[T, None]) -> tuple[T] | None:
    async for item in items:
        return (item,)
    return None


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.get_loop().run_forever()  # what is left is cancelled when the runner closes

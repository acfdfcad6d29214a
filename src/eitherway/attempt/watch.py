"""Waiting for a job to move: one reader of the event log per process, however many wait."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from ..clock import Clock
from ..engine.contract import Engine
from ..errors import EngineError, UnknownJobError
from ..job import JobRecord

_PAGE_WAIT_SECONDS = 30.0


class Watcher:
    """Wakes those who wait for a job when the event log says that it moved."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._waiting: dict[str, set[asyncio.Future[None]]] = {}
        self._pump: asyncio.Task[None] | None = None
        self._cursor: str | None = None
        self._released = False

    async def read(self, job_id: str) -> JobRecord:
        """The record now. `UnknownJobError`."""
        (record,) = await self._engine.get([job_id])
        if record is None:
            raise UnknownJobError(f"no job {job_id}")
        return record

    async def wait(
        self, job_id: str, until: Callable[[JobRecord], bool], timeout_seconds: float | None
    ) -> JobRecord:
        """The record once `until` holds of it, or as it is after `timeout_seconds`."""
        record = await self.read(job_id)
        end = None if timeout_seconds is None else self._clock.now() + timeout_seconds
        while not until(record):
            left = None if end is None else end - self._clock.now()
            if self._released or (left is not None and left <= 0):
                break
            moved = self._subscribe(job_id)
            try:
                await self._start()
                record = await self.read(job_id)  # it may have moved before the log was followed
                if not until(record):
                    await self._clock.wait(moved, left)
                    record = await self.read(job_id)
            finally:
                self._unsubscribe(job_id, moved)
        return record

    def release(self) -> None:
        """Let everybody go with the record as it is, now and from now on: a drain has begun."""
        self._released = True
        for job_id in list(self._waiting):
            self._wake(job_id)

    async def close(self) -> None:
        """Stop following the log, and let everybody go. Idempotent."""
        self.release()
        if self._pump is not None:
            self._pump.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._pump
            self._pump = None

    def _subscribe(self, job_id: str) -> asyncio.Future[None]:
        moved: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(job_id, set()).add(moved)
        return moved

    def _unsubscribe(self, job_id: str, moved: asyncio.Future[None]) -> None:
        waiting = self._waiting[job_id]
        waiting.discard(moved)
        if not waiting:
            del self._waiting[job_id]

    async def _start(self) -> None:
        if self._pump is None or self._pump.done():
            self._cursor = (await self._engine.events(None, 0)).cursor
            if self._pump is None or self._pump.done():  # nobody was faster meanwhile
                self._pump = asyncio.create_task(self._follow(), name="eitherway-watch")

    async def _follow(self) -> None:
        while self._waiting:
            try:
                page = await self._engine.events(self._cursor, _PAGE_WAIT_SECONDS)
            except EngineError:
                await self._clock.sleep(1)  # those who wait re-read on their own timeouts
                continue
            self._cursor = page.cursor
            for job_id in {event.job_id for event in page.events}:
                self._wake(job_id)

    def _wake(self, job_id: str) -> None:
        for moved in self._waiting.get(job_id, ()):
            if not moved.done():
                moved.set_result(None)

"""Waiting for a job to move: the long poll's, and that of `Job.result()`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..clock import Clock
from ..engine.contract import Engine
from ..errors import UnknownJobError
from ..job import JobRecord
from .hub import Hub, News


class Watcher:
    """Wakes those who wait for a job when the hub tells that it moved."""

    def __init__(self, engine: Engine, hub: Hub, clock: Clock) -> None:
        self._engine = engine
        self._hub = hub
        self._clock = clock

    async def read(self, job_id: str) -> JobRecord:
        """The record now. `UnknownJobError`."""
        (record,) = await self._engine.get([job_id])
        if record is None:
            raise UnknownJobError(f"no job {job_id}")
        return record

    async def wait(
        self, job_id: str, until: Callable[[JobRecord], bool], timeout_seconds: float | None
    ) -> JobRecord:
        """The record once `until` holds of it, or as it is after `timeout_seconds`, or a drain."""
        record = await self.read(job_id)
        end = None if timeout_seconds is None else self._clock.monotonic() + timeout_seconds
        while not until(record):
            left = None if end is None else end - self._clock.monotonic()
            if self._hub.released or (left is not None and left <= 0):
                break
            waiter = _Waiter()
            await self._hub.join(waiter, [job_id])
            try:
                record = await self.read(job_id)  # it may have moved before the log was followed
                if not until(record):
                    await self._clock.wait(waiter.moved, left)
                    record = await self.read(job_id)
            finally:
                self._hub.leave(waiter, [job_id])
        return record


class _Waiter:
    """Listens for one move."""

    def __init__(self) -> None:
        self.moved: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def told(self, _: News) -> None:
        self.ended()

    def ended(self) -> None:
        if not self.moved.done():
            self.moved.set_result(None)

"""Waiting for jobs where no process outlives its answer: by looking, again and again.

A gateway's process follows the event log for all who wait in it. A function of a cloud waits for
one, and of the log of a table in DynamoDB no more than two may read at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..errors import UnknownJobError
from ..job import JobRecord
from .watch import Watcher

_PAUSE_SECONDS = 0.1
_PAUSE_SECONDS_MAX = 1.0

Found = Sequence[JobRecord | None]


class PollingWatcher(Watcher):
    """Looks at records with growing pauses, from 0.1 s to 1 s."""

    async def wait(
        self, job_id: str, until: Callable[[JobRecord], bool], timeout_seconds: float | None
    ) -> JobRecord:
        """The record once `until` holds of it, or as it is after `timeout_seconds`."""

        def told(found: Found) -> bool:
            return found[0] is None or until(found[0])

        (record,) = await self.look([job_id], told, timeout_seconds)
        if record is None:
            raise UnknownJobError(f"no job {job_id}")
        return record

    async def look(
        self, jobs: Sequence[str], until: Callable[[Found], bool], timeout_seconds: float | None
    ) -> Found:
        """The records of these jobs once `until` holds of them, or as they are after the time."""
        end = None if timeout_seconds is None else self._clock.monotonic() + timeout_seconds
        pause = _PAUSE_SECONDS
        while True:
            found = await self._engine.get(jobs)
            left = pause if end is None else end - self._clock.monotonic()
            if until(found) or left <= 0:
                return found
            await self._clock.sleep(min(pause, left))
            pause = min(2 * pause, _PAUSE_SECONDS_MAX)

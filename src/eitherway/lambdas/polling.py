"""Waiting for a job in a function: by looking, again and again.

A gateway's process follows the event log for all who wait in it. A function waits for one, and of
a table's stream no more than two may read at a time.
"""

from __future__ import annotations

from collections.abc import Callable

from ..attempt.watch import Watcher
from ..job import JobRecord

_PAUSE_SECONDS = 0.1
_PAUSE_SECONDS_MAX = 1.0


class PollingWatcher(Watcher):
    """Looks at the record with growing pauses, from 0.1 s to 1 s."""

    async def wait(
        self, job_id: str, until: Callable[[JobRecord], bool], timeout_seconds: float | None
    ) -> JobRecord:
        """The record once `until` holds of it, or as it is after `timeout_seconds`."""
        end = None if timeout_seconds is None else self._clock.monotonic() + timeout_seconds
        pause = _PAUSE_SECONDS
        while True:
            record = await self.read(job_id)
            left = pause if end is None else end - self._clock.monotonic()
            if until(record) or left <= 0:
                return record
            await self._clock.sleep(min(pause, left))
            pause = min(2 * pause, _PAUSE_SECONDS_MAX)

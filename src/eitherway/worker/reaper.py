"""The reaper, in every worker: takes over what others lost or let pass, and clears what is old."""

from __future__ import annotations

import logging

from ..attempt.runtime import Runtime
from ..engine.values import Settlement
from ..errors import EngineError

logger = logging.getLogger("eitherway.worker")

_REAP_SECONDS = 1.0
_PURGE_SECONDS = 60.0
_BATCH = 100
_LEASE_SECONDS = 15.0


class Reaper:
    """Settles overdue jobs and purges expired records, in small batches."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def run(self) -> None:
        """Reap until cancelled."""
        purged = self._runtime.clock.monotonic()
        while True:
            await self._runtime.clock.sleep(_REAP_SECONDS)
            try:
                await self.reap()
                if self._runtime.clock.monotonic() - purged >= _PURGE_SECONDS:
                    await self.purge()
                    purged = self._runtime.clock.monotonic()
            except EngineError as error:
                logger.warning("cannot reap: %s", error)

    async def reap(self) -> int:
        """Settle everything overdue; how many jobs."""
        total = 0
        while True:
            overdue = await self._runtime.engine.overdue(_BATCH, _LEASE_SECONDS)
            now = self._runtime.clock.now()
            settlements = []
            for one in overdue:
                operation = self._runtime.operations.named(one.job.operation)
                retry = operation.retry if operation else None
                finish = self._runtime.judge.reaped(one, retry, now)
                logger.warning("job %s was overdue: %s", one.job.id, finish.kind or finish.state)
                settlements.append(Settlement(finish=finish))
            settled = await self._runtime.engine.settle(settlements) if settlements else ()
            for one, became in zip(overdue, settled, strict=True):
                if became.error is not None:
                    logger.warning("cannot reap job %s: %s", one.job.id, became.error)
            total += len(settlements)
            if len(overdue) < _BATCH:
                return total

    async def purge(self) -> int:
        """Delete every record past its retention; how many."""
        total = 0
        while True:
            count = await self._runtime.engine.purge(
                _BATCH, tombstone_seconds=self._runtime.settings.tombstone_seconds
            )
            total += count
            if count < _BATCH:
                return total

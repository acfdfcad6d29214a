"""What operators ask of the file."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...clock import Clock
from ...engine.listing import JobFilter, JobPage
from ...engine.operated import OperatedEngine
from ...engine.values import Flow, OperationStatistics, Redrive
from ...errors import ConfigurationError
from . import backup, listing, operate
from .holders import Holders
from .reader import Reader


class OperatedSqlite(OperatedEngine):
    """Reads on the spot; writes in the next group commit."""

    _path: Path | None
    _clock: Clock
    _holders: Holders

    async def list(self, wanted: JobFilter, after: str | None, count: int) -> JobPage:
        """Walk an index on the spot, or so many jobs where there is none."""
        return listing.page(self._reading(), wanted, after, count, self._clock.now())

    async def redrive(self, redrives: Sequence[Redrive]) -> Sequence[bool]:
        """Queue dead letters again, in the next group commit."""
        return await self._booleans("redrive", redrives)

    async def discard(self, ids: Sequence[str]) -> Sequence[bool]:
        """Delete dead letters, in the next group commit."""
        return await self._booleans("discard", ids)

    async def pause(self, operations: Sequence[str], *, paused: bool) -> None:
        """Write down what is paused, in the next group commit."""
        await self._submit("pause", (operations, paused))

    async def statistics(self) -> Sequence[OperationStatistics]:
        """Read the counters on the spot."""
        return operate.statistics(self._reading(), self._clock.now())

    async def waiting(self, operations: Sequence[str]) -> Sequence[int]:
        """Read the counters on the spot: what has been committed, by any process."""
        return operate.waiting(self._reading(), operations)

    async def flow(self, operations: Sequence[str]) -> Sequence[Flow]:
        """Read the counters on the spot."""
        return operate.flow(self._reading(), operations)

    async def backup(self, target: Path) -> None:
        """Copy the file in a thread of its own."""
        if self._path is None:
            raise ConfigurationError("what is in memory ends with its process: give it a file")
        await asyncio.to_thread(backup.back_up, self._path, target)

    async def workers(self) -> int | None:
        """Ask the kernel which holders of leases live."""
        return self._holders.alive()

    async def _booleans(self, name: str, arguments: Any) -> Sequence[bool]:
        answers: list[bool] = await self._submit(name, arguments)
        return answers

    @abstractmethod
    def _submit(self, name: str, arguments: Any) -> asyncio.Future[Any]:
        """Have a call done in the next group commit."""

    @abstractmethod
    def _reading(self) -> Reader:
        """Who reads. `EngineError` while the engine is not open."""

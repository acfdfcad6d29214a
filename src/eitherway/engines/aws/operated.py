"""What operators ask of the stack."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from ...engine.listing import JobFilter, JobPage
from ...engine.operated import OperatedEngine
from ...engine.values import Flow, OperationStatistics, Redrive
from ...engine.waking import Topic
from . import letters, listing, pauses, statistics
from .core import Core


class OperatedAws(OperatedEngine):
    """Lists, counts, pauses, redrives."""

    async def list(self, wanted: JobFilter, after: str | None, count: int) -> JobPage:
        """Walk an index backwards, and read the records that it names."""
        return await listing.page(self._opened(), wanted, after, count)

    async def redrive(self, redrives: Sequence[Redrive]) -> Sequence[bool]:
        """Queue dead letters again, each by a conditional write."""
        return await letters.redrive(self._opened(), redrives)

    async def discard(self, ids: Sequence[str]) -> Sequence[bool]:
        """Delete dead letters, each by a conditional write."""
        return await letters.discard(self._opened(), ids)

    async def pause(self, operations: Sequence[str], *, paused: bool) -> None:
        """Write down what is paused; the other processes read it once a second."""
        core = self._opened()
        await pauses.pause(core.store, operations, paused=paused)
        core.limits.look_again()
        core.wake.signal([Topic.WORK])

    async def statistics(self) -> Sequence[OperationStatistics]:
        """Add up what was counted, and ask the index what waits longest."""
        return await statistics.statistics(self._opened())

    async def waiting(self, operations: Sequence[str]) -> Sequence[int]:
        """Add up what was counted."""
        return await statistics.waiting_now(self._opened(), operations)

    async def flow(self, operations: Sequence[str]) -> Sequence[Flow]:
        """Add up what was counted."""
        return await statistics.flow(self._opened(), operations)

    async def workers(self) -> int | None:
        """Nobody knows: a function's instances are AWS's."""
        return None

    @abstractmethod
    def _opened(self) -> Core:
        """The open engine's parts. `EngineError` while it is not open."""

"""What operators ask of the stack."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from ...engine.listing import JobFilter, JobPage
from ...engine.operated import OperatedEngine
from ...engine.values import Flow, OperationStatistics, Redrive
from ...errors import EngineError
from .core import Core


class OperatedAws(OperatedEngine):
    """Lists, counts, pauses, redrives."""

    async def list(self, wanted: JobFilter, after: str | None, count: int) -> JobPage:
        """Walk an index backwards."""
        raise EngineError("not yet")

    async def redrive(self, redrives: Sequence[Redrive]) -> Sequence[bool]:
        """Queue dead letters again, each by a conditional write."""
        raise EngineError("not yet")

    async def discard(self, ids: Sequence[str]) -> Sequence[bool]:
        """Delete dead letters, each by a conditional write."""
        raise EngineError("not yet")

    async def pause(self, operations: Sequence[str], *, paused: bool) -> None:
        """Write down what is paused."""
        raise EngineError("not yet")

    async def statistics(self) -> Sequence[OperationStatistics]:
        """Add up what was counted."""
        return []

    async def waiting(self, operations: Sequence[str]) -> Sequence[int]:
        """Add up what was counted."""
        return [0 for _ in operations]

    async def flow(self, operations: Sequence[str]) -> Sequence[Flow]:
        """Add up what was counted."""
        return [Flow(waiting=0, ended=0) for _ in operations]

    async def workers(self) -> int | None:
        """Nobody knows: a function's instances are AWS's."""
        return None

    @abstractmethod
    def _opened(self) -> Core:
        """The open engine's parts. `EngineError` while it is not open."""

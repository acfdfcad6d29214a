"""The part of the engine contract that operators use; `contract.py` says what holds of it, too."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from ..errors import ConfigurationError
from .listing import JobFilter, JobPage
from .values import Flow, OperationStatistics, Redrive


class OperatedEngine(ABC):
    """Lists jobs, counts them, pauses operations, sends dead letters again, is backed up."""

    @abstractmethod
    async def list(self, wanted: JobFilter, after: str | None, count: int) -> JobPage:
        """A page of at most `count` jobs, newest first, after a page's cursor. For operators.

        A page may be short, or empty, and still have a cursor: go on until it has none.
        `EngineError` for a cursor that is none.
        """

    @abstractmethod
    async def redrive(self, redrives: Sequence[Redrive]) -> Sequence[bool]:
        """Send dead letters again, each `queued`. False where it is none (any more)."""

    @abstractmethod
    async def discard(self, ids: Sequence[str]) -> Sequence[bool]:
        """Delete dead letters with all that belongs to them. False where it is none."""

    @abstractmethod
    async def pause(self, operations: Sequence[str], *, paused: bool) -> None:
        """Hand out no jobs of these operations, or hand them out again. Lasts until said otherwise.

        `ready` and `receive` hold to it in every process within a second or so; what runs goes on;
        accepts go on.
        """

    @abstractmethod
    async def statistics(self) -> Sequence[OperationStatistics]:
        """Every operation that has or had jobs, or is paused. Cheap, and a second old at most."""

    @abstractmethod
    async def waiting(self, operations: Sequence[str]) -> Sequence[int]:
        """How many jobs of each wait: scheduled, queued or retrying. 0 for an unknown operation.

        Cheap enough to be asked before every accept, and a second old at most; where it can be
        exact, it counts every accept that returned before.
        """

    @abstractmethod
    async def flow(self, operations: Sequence[str]) -> Sequence[Flow]:
        """How the queue of each moves; an end counts once, also of a job that is purged by now.

        Cheap, without looking at jobs, and a second old at most.
        """

    async def backup(self, target: Path) -> None:
        """Copy everything to a new file, or over an older copy, as it is at one moment.

        Whole or not at all, with everything that was accepted before; others go on meanwhile.
        `ConfigurationError` where the store has a way of its own, or the target will not do.
        """
        raise ConfigurationError(f"{target}: this engine's store has backups of its own")

    @abstractmethod
    async def workers(self) -> int | None:
        """How many processes take jobs now; None where the engine cannot know."""

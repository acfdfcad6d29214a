"""One item of a batch, as its door knows it: a job under its lease, or a direct call."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from ..context import Context
from ..ended import Ended
from ..engine.values import Finish
from ..job import Attempt
from ..unit import UnitOfWork


class Member(ABC):
    """What a batch must know of an item, and whom it tells how the item ended."""

    def __init__(self, job_id: str, value: Any, *, deadline: float, first_number: int) -> None:
        self.job_id = job_id
        self.value = value
        self.deadline = deadline
        self.first_number = first_number  # of its first run
        self.conflicts: tuple[Attempt, ...] = ()  # its runs that came to nothing

    @property
    @abstractmethod
    def lost(self) -> bool:
        """Whether its lease is known to be lost: nothing of it can be committed."""

    @abstractmethod
    def new_context(self, unit: UnitOfWork) -> Context:
        """What the handler sees of it in one run."""

    @abstractmethod
    def finish(self, ended: Ended) -> Finish | None:
        """Where its job goes; None for a direct call."""

    @abstractmethod
    def settled(self, ended: Ended, finish: Finish | None) -> None:
        """It ended so, and that is committed."""

    @abstractmethod
    def lose(self, finish: Finish | None) -> None:
        """Its lease was lost before it could end like this: nothing is written."""

"""Taking the very jobs that hints name: for functions, which SQS gives messages of its choice."""

from __future__ import annotations


from collections.abc import Sequence
from dataclasses import dataclass

from typing import Any

from ...engine.values import Delivery, Demand, NewJob


@dataclass(frozen=True, kw_only=True, slots=True)
class Hint:
    """A message of a queue: look at this job. `new` is the job itself where nobody stored it.

    So it is where the gateway sent the caller's body straight to the queue: the record is made by
    whoever takes it first. `new.due` is then `new.created`, the time at which it was sent.
    """

    job_id: str
    operation: str
    version: int
    new: NewJob | None = None
    alone: bool = False  # it came by the queue of suspects


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """What became of a hint: a delivery to run, a hint to drop, or one for later.

    A hint of a delivery is to be dropped as well, from now on: the lease in the record brings the
    job back. With `later_seconds` the message is to be seen again after that, up to 12 hours.
    """

    hint: Hint
    delivery: Delivery | None = None
    later_seconds: float | None = None

    @property
    def drop(self) -> bool:
        """Whether the message has done its work."""
        return self.later_seconds is None


async def take(core: Any, hints: Sequence[Hint], demands: Sequence[Demand]) -> list[Taken]:
    """To come."""
    raise NotImplementedError

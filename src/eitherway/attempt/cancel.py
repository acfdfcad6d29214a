"""Canceling jobs, whichever door asks for it, and telling those in this process who run them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from weakref import WeakSet

from ..clock import Clock
from ..engine.cancellation import Cancellation
from ..engine.contract import Engine
from .telling import Telling


class Holder(Protocol):
    """Who runs jobs here."""

    def canceled(self, job_ids: Sequence[str]) -> None:
        """Stop what runs of these jobs; most of them are not held here. Must not block or raise."""


class Canceler:
    """Ends jobs from outside. `retention_seconds` is how long a canceled one is kept."""

    def __init__(
        self, engine: Engine, clock: Clock, retention_seconds: float, telling: Telling
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._telling = telling
        self._retention_seconds = retention_seconds
        self._holders: WeakSet[Holder] = WeakSet()

    def tell(self, holder: Holder) -> None:
        """Tell this one at once; other processes learn of it by themselves, within a second."""
        self._holders.add(holder)

    async def cancel(self, job_ids: Sequence[str]) -> Sequence[bool]:
        """End these jobs. False where one has ended before, or is unknown."""
        now = self._clock.now()
        expires = now + self._retention_seconds
        records = await self._engine.get(job_ids)
        wanted = [
            Cancellation(
                job_id=job_id,
                at=now,
                expires=expires,
                jobs=self._telling.jobs(record, now) if record is not None else (),
            )
            for job_id, record in zip(job_ids, records, strict=True)
        ]
        answers = await self._engine.cancel(wanted)
        canceled = [one for one, done in zip(job_ids, answers, strict=True) if done]
        for holder in self._holders:
            holder.canceled(canceled)
        return answers

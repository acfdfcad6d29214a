"""The attempts of one batch, from claim to settlement."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from ..attempt.batch_member import Member
from ..attempt.leases import Held
from ..attempt.queued import GIVEN_BACK, QueuedAttempt, give_back
from ..attempt.runtime import Runtime
from ..context import Context
from ..ended import Ended
from ..engine.values import Delivery, Finish, Settled, Settlement
from ..errors import EngineError, InvalidInputError
from ..operation import Operation
from ..unit import UnitOfWork

logger = logging.getLogger("eitherway.worker")


class QueuedBatch:
    """Runs delivered jobs as one batch, and settles each under its own lease.

    `release` is called for each job, once: when it is settled or left to its lease.
    """

    def __init__(
        self, runtime: Runtime, operation: Operation, release: Callable[[Held], None]
    ) -> None:
        self._runtime = runtime
        self.operation = operation
        self._release = release
        self._unsettled: dict[Held, Delivery] = {}
        self._attempts: dict[str, QueuedAttempt] = {}  # by their jobs

    def add(self, held: Held, delivery: Delivery) -> None:
        """One job more."""
        self._unsettled[held] = delivery

    async def run(self) -> None:
        """Run and settle. What is not settled then is given back: by a cancellation, or lost."""
        try:
            members = [
                member
                for held, delivery in list(self._unsettled.items())
                if (member := await self._member(held, delivery)) is not None
            ]
            await self._runtime.batches.run(self.operation, members, self._settle)
            await self.give_back()
        except asyncio.CancelledError:
            await self.give_back()
        except EngineError as error:
            name = self.operation.name
            logger.warning("a batch of %s is left to its leases: %s", name, error)

    async def give_back(self) -> None:
        """End what is not settled as interrupted: it runs again elsewhere, at once, unless lost."""
        attempts = [self._attempt(held, delivery) for held, delivery in self._unsettled.items()]
        if attempts:
            await give_back(self._runtime, [(one, one.finish(GIVEN_BACK)) for one in attempts])

    def ended(self, task: asyncio.Task[None]) -> None:
        """Nothing more is done for the batch (called when its task is done)."""
        if not task.cancelled() and (error := task.exception()) is not None:
            name = self.operation.name
            logger.error("a batch of %s is left to its leases", name, exc_info=error)
        for held in list(self._unsettled):
            held.abandon_span()
            self.over(held)

    def over(self, held: Held) -> None:
        """The job is settled, or left to its lease."""
        if self._unsettled.pop(held, None) is not None:
            self._release(held)

    def _attempt(self, held: Held, delivery: Delivery) -> QueuedAttempt:
        return QueuedAttempt(self._runtime, self.operation, delivery, held)

    async def _member(self, held: Held, delivery: Delivery) -> Member | None:
        attempt = self._attempt(held, delivery)
        try:
            arguments = attempt.arguments()
        except InvalidInputError as error:
            await attempt.refuse(error)
            self.over(held)
            return None
        self._attempts[delivery.job.id] = attempt
        (value,) = arguments.values()
        return _QueuedItem(attempt, held, delivery, value, self.over)

    async def _settle(self, settlements: Sequence[Settlement]) -> Sequence[Settled]:
        for finish in (finish for one in settlements for finish in one.finishes):
            await self._attempts[finish.lease.job_id].keep_thread()
        settled = await asyncio.shield(self._runtime.settler.settle_all(settlements))
        for one in settled:
            for job_id in one.canceled:
                self._attempts[job_id].canceled()
        return settled


class _QueuedItem(Member):
    """One job of a batch."""

    def __init__(
        self,
        attempt: QueuedAttempt,
        held: Held,
        delivery: Delivery,
        value: Any,
        over: Callable[[Held], None],
    ) -> None:
        job = delivery.job
        super().__init__(job.id, value, deadline=job.deadline, first_number=job.starts)
        self._attempt = attempt
        self._held = held
        self._over = over

    @property
    def lost(self) -> bool:
        return self._held.lost

    def new_context(self, unit: UnitOfWork) -> Context:
        return self._attempt.new_context(unit)

    def finish(self, ended: Ended) -> Finish | None:
        return self._attempt.finish(ended, self.conflicts)

    def settled(self, ended: Ended, finish: Finish | None) -> None:
        if finish is not None:
            self._attempt.note(finish, ended.outcome)
        self._over(self._held)

    def lose(self, finish: Finish | None) -> None:
        self._held.lost = True
        if finish is not None:
            self._attempt.note_lost(finish)
        self._over(self._held)

"""Promotion: a direct call that runs becomes a job, and goes on running."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from ..context import Context
from ..ended import Ended
from ..engine.promotion import Promotion
from ..engine.values import Delivery, NewJob, Settled, SettleStatus, Work
from ..errors import EitherwayError
from ..job import Attempt, JobRecord
from ..unit import UnitOfWork
from .direct import DirectCall
from .leases import Held, LeaseKeeper, finish_or_give_back
from .queued import QueuedAttempt
from .runtime import Runtime

logger = logging.getLogger("eitherway.gateway")

MakeJob = Callable[[float], NewJob]
"""The job that a call becomes, created at this time."""

_OVER = frozenset({SettleStatus.DONE, SettleStatus.LEASE_LOST})


class Promoted:
    """The calls of this process that have become jobs: it keeps their leases."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._leases = LeaseKeeper(runtime)
        self._keeping: asyncio.Task[None] | None = None

    def add(self, held: Held, task: asyncio.Task[Any]) -> None:
        """Keep the lease until the attempt under it, this task, has ended."""
        held.task = task
        self._leases.add(held)
        task.add_done_callback(partial(self._ended, held))
        if self._keeping is None:
            self._keeping = asyncio.create_task(self._leases.run(), name="promoted-leases")

    async def drain(self, drain_seconds: float) -> None:
        """Let them finish for so long, and give back the rest. Idempotent."""
        await finish_or_give_back(self._runtime, self._leases, drain_seconds)
        if self._keeping is not None:
            self._keeping.cancel()
            self._keeping = None

    def _ended(self, held: Held, task: asyncio.Task[Any]) -> None:
        self._leases.drop(held)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("job %s is left to its lease", held.lease.job_id, exc_info=error)


class PromotableCall(DirectCall):
    """A direct call in a task of its own, which can become a job while its handler runs.

    It counts in its limits as the call that it began as, to the end.
    """

    task: asyncio.Task[Ended | None]
    _started: float
    _attempt: QueuedAttempt | None = None  # once it is a job
    _held: Held
    _over = False

    def start(self, promoted: Promoted) -> asyncio.Task[Ended | None]:
        """Begin; the task gives what `run_if_room` gives. To cancel it gives a job back."""
        self._promoted = promoted
        self._moving = asyncio.Lock()  # it is promoted, or it ends: one after the other
        self.task = asyncio.create_task(self._run(), name=f"call-{self.job_id}")
        return self.task

    async def promote(self, make_job: MakeJob) -> JobRecord | None:
        """Make it a job, durable on return. None: it has ended, or goes on as a call.

        Safe to cancel: the write then goes on, and the call is what it makes of it.
        """
        return await asyncio.shield(asyncio.ensure_future(self._promote(make_job)))

    async def _promote(self, make_job: MakeJob) -> JobRecord | None:
        async with self._moving:
            if self._context is None or self._over or self.task.done():
                return None
            try:
                promotion = Promotion(
                    job=make_job(self._started),
                    started=self._started,
                    lease_seconds=self._operation.lease_seconds,
                )
                (delivery,) = await self._runtime.engine.promote([promotion])
            except EitherwayError as error:
                logger.warning("call %s cannot become a job: %s", self.job_id, error)
                return None
            if delivery is None:
                return None
            self._hold(delivery, self._context)
            return delivery.job

    def _hold(self, delivery: Delivery, context: Context) -> None:
        runtime, operation = self._runtime, self._operation
        held = Held(delivery.lease, operation, runtime.clock.monotonic(), context)
        self._held = held
        self._attempt = QueuedAttempt(runtime, operation, delivery, held, self._started)
        self._tell(context)
        self._promoted.add(held, self.task)
        if self.key is not None:
            self.key.went_over()

    def _tell(self, context: Context) -> None:
        """What the handler sees of its job from now on."""
        context.attempts_max = self._operation.retry.attempts
        self._held.context = context

    async def _run(self) -> Ended | None:
        try:
            return await self.run_if_room()
        except asyncio.CancelledError:
            async with self._moving:  # a promotion under way is waited for
                self._over = True
                if self._attempt is not None:
                    await self._attempt.give_back()
            raise

    def _new_context(self, unit: UnitOfWork) -> Context:
        if self._context is None:
            self._started = self._runtime.clock.now()
        context = super()._new_context(unit)
        if self._attempt is not None:
            self._tell(context)
        return context

    async def _commit(self, ended: Ended, work: Work, conflicts: tuple[Attempt, ...]) -> Settled:
        async with self._moving:
            if self._attempt is None:
                settled = await super()._commit(ended, work, conflicts)
            else:
                settled = await self._attempt.settle(ended, work, conflicts)
            self._over = settled.status in _OVER
            return settled

"""A delivery, from claim to settlement."""

from __future__ import annotations

import asyncio
import logging

from ..attempt.runtime import Runtime
from ..attempt.trace import trace_id
from ..attempt.upgrade import arguments_of
from ..codec import decode_mapping
from ..context import Context
from ..engine.values import Delivery, Finish, Settled, Settlement, SettleStatus, Work
from ..errors import EngineError, EngineUnavailableError, InvalidInputError
from ..execute import Ended
from ..job import Attempt, Outcome
from ..operation import Operation
from ..problem import Problem
from ..unit import UnitOfWork
from .leases import Held

logger = logging.getLogger("eitherway.worker")
attempt_log = logging.getLogger("eitherway.attempt")

_SETTLE_PAUSE_SECONDS = 0.5


class QueuedAttempt:
    """Runs one delivered job through the execution path and settles it under its lease."""

    def __init__(
        self, runtime: Runtime, operation: Operation, delivery: Delivery, held: Held
    ) -> None:
        self._runtime = runtime
        self._operation = operation
        self._delivery = delivery
        self._held = held
        self._started = runtime.clock.now()

    async def run(self) -> None:
        """Run and settle. A cancellation gives the job back, unless its lease is lost."""
        try:
            await self._run()
        except asyncio.CancelledError:
            if not self._held.lost:
                await self._give_back()
        except EngineError as error:
            logger.warning("job %s is left to its lease: %s", self._delivery.job.id, error)

    async def _run(self) -> None:
        job, message = self._delivery.job, self._delivery.message
        now = self._runtime.clock.now()
        try:
            arguments = arguments_of(self._operation, message, job.version)
        except InvalidInputError as error:
            judge = self._runtime.judge
            finish = judge.incompatible(self._delivery, self._operation, error, now)
            await self._settle(Work(), finish)
            return
        await self._runtime.runner.run(
            self._operation,
            arguments,
            new_context=self._new_context,
            commit=self._commit,
            timeout_seconds=min(self._operation.timeout_seconds, max(0.0, job.deadline - now)),
            first_number=job.starts,
        )

    def _new_context(self, unit: UnitOfWork) -> Context:
        context = self._runtime.context(
            self._operation,
            unit,
            job_id=self._delivery.job.id,
            headers=decode_mapping(self._delivery.message.headers),
            deadline=self._delivery.job.deadline,
            delivery=self._delivery,
        )
        self._held.context = context
        return context

    async def _commit(self, ended: Ended, work: Work, conflicts: tuple[Attempt, ...]) -> Settled:
        now = self._runtime.clock.now()
        finish = self._runtime.judge.finish(self._delivery, self._operation, ended, now, conflicts)
        thread = self._held.context.thread if self._held.context else None
        if thread is not None and not thread.done():  # it goes on past its time
            await self._runtime.limiter.keep(self._operation, self._delivery.keys, thread)
        return await self._settle(work, finish)

    async def _settle(self, work: Work, finish: Finish) -> Settled:
        """Settle, again and again while the engine is away: the lease is extended meanwhile."""
        while True:
            try:
                settling = self._runtime.engine.settle([Settlement(work=work, finish=finish)])
                (settled,) = await asyncio.shield(asyncio.ensure_future(settling))
            except EngineUnavailableError as error:
                logger.warning("job %s cannot be settled yet: %s", self._delivery.job.id, error)
                await self._runtime.clock.sleep(_SETTLE_PAUSE_SECONDS)
            else:
                break
        if settled.status is SettleStatus.LEASE_LOST:
            logger.warning("job %s: the lease was lost, nothing is written", finish.lease.job_id)
            self._note(finish, Outcome.LEASE_LOST)
        elif settled.status is SettleStatus.DONE:
            self._note(finish, finish.attempts[-1].outcome or Outcome.SUCCEEDED)
        return settled

    def _note(self, finish: Finish, outcome: Outcome) -> None:
        """The attempt is over: for `/metrics`, and as a line in the log."""
        name = self._operation.name
        seconds = self._runtime.clock.now() - self._started
        self._runtime.metrics.attempt(name, outcome, seconds)
        wanted = outcome is not Outcome.SUCCEEDED or self._runtime.settings.access_log
        if wanted and attempt_log.isEnabledFor(logging.INFO):
            fields = {
                "job": finish.lease.job_id,
                "operation": name,
                "attempt": finish.starts,
                "outcome": outcome.value,
                "status": finish.state.value,
                "seconds": round(seconds, 6),
                "trace": trace_id(
                    decode_mapping(self._delivery.message.headers).get("traceparent")
                ),
            }
            attempt_log.info(
                "%s %s: attempt %d %s, %.1f ms",
                name, finish.lease.job_id, finish.starts, outcome, seconds * 1e3,
                extra={"fields": fields},
            )  # fmt: skip

    async def _give_back(self) -> None:
        ended = Ended(
            outcome=Outcome.INTERRUPTED,
            problem=Problem.of("not-ready", "the worker stopped; the job runs again elsewhere"),
        )
        finish = self._runtime.judge.finish(
            self._delivery, self._operation, ended, self._runtime.clock.now()
        )
        try:
            await self._runtime.engine.settle([Settlement(finish=finish)])
            self._note(finish, Outcome.INTERRUPTED)
        except EngineError as error:
            logger.warning("job %s is left to its lease: %s", self._delivery.job.id, error)

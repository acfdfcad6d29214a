"""A delivered job: what its handler gets, where it goes, and what is noted of it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from ..codec import decode_mapping
from ..context import Context
from ..ended import Ended
from ..engine.values import Delivery, Finish, Settled, Settlement, SettleStatus, Work
from ..errors import EngineError, InvalidInputError
from ..job import Attempt, JobState, Outcome
from ..operation import Operation
from ..problem import Problem
from ..trace import Span
from ..unit import UnitOfWork
from .leases import Held
from .runtime import Runtime
from .settler import shown
from .upgrade import arguments_of

logger = logging.getLogger("eitherway.worker")
attempt_log = logging.getLogger("eitherway.attempt")

GIVEN_BACK = Ended(
    outcome=Outcome.INTERRUPTED,
    problem=Problem.of("not-ready", "the worker stopped; the job runs again elsewhere"),
)


_NO_HEADERS: Mapping[str, str] = {}
_SUCCEEDED = Outcome.SUCCEEDED
_DONE = SettleStatus.DONE


class QueuedAttempt:
    """One delivered job, settled under its lease."""

    __slots__ = ("_delivery", "_finish", "_held", "_operation", "_runtime", "_started")

    def __init__(
        self,
        runtime: Runtime,
        operation: Operation,
        delivery: Delivery,
        held: Held,
        started: float | None = None,
    ) -> None:
        self._runtime = runtime
        self._operation = operation
        self._delivery = delivery
        self._held = held
        self._started = runtime.clock.now() if started is None else started
        self._finish: Finish | None = None  # where the job goes, once that is judged

    def arguments(self) -> dict[str, Any]:
        """What the handler is called with. `InvalidInputError` where it is no input any more."""
        delivery = self._delivery
        return arguments_of(self._operation, delivery.message, delivery.job.version)

    async def refuse(self, error: InvalidInputError) -> None:
        """Settle the job whose arguments these were."""
        await self._settle(partial(self._incompatible, error))

    def finish(self, ended: Ended, conflicts: tuple[Attempt, ...] = ()) -> Finish:
        """Where the job goes after this end, by policy."""
        now = self._runtime.clock.now()
        return self._runtime.judge.finish(self._delivery, self._operation, ended, now, conflicts)

    def new_context(self, unit: UnitOfWork) -> Context:
        """What the handler sees of the job in one run."""
        if self._held.context is not None:  # of the run before, which committed nothing
            alone = self._operation.batch_max is None
            self._held.abandon_span(Outcome.CONFLICT if alone else Outcome.INTERRUPTED)
        runtime, job = self._runtime, self._delivery.job
        headers = self._delivery.message.headers
        context = Context(
            job.id,
            self._operation.name,
            job.attempt,
            job.attempts_max,
            job.deadline,
            decode_mapping(headers) if headers else _NO_HEADERS,
            runtime.spans.attempt(job),
            unit,
            runtime.enqueue_within,
            job.owner,
        )
        self._held.context = context
        return context

    def settle(
        self, ended: Ended, work: Work, conflicts: tuple[Attempt, ...]
    ) -> Awaitable[Settled]:
        """Commit an end, and where the job goes with it."""
        return self._settle(partial(self.judged, ended, work, conflicts))

    async def keep_thread(self) -> None:
        """Count a plain handler in its limits for as long as it goes on past its time."""
        thread = self._held.context.thread if self._held.context else None
        if thread is not None and not thread.done():
            await self._runtime.limiter.keep(self._operation, self._delivery.keys, thread)

    def judged(
        self, ended: Ended, work: Work, conflicts: tuple[Attempt, ...], now: float
    ) -> Settlement:
        """An end at this time, and where the job goes with it."""
        judge = self._runtime.judge
        self._finish = judge.finish(self._delivery, self._operation, ended, now, conflicts)
        return Settlement(work, self._finish)

    def _incompatible(self, error: InvalidInputError, now: float) -> Settlement:
        judge = self._runtime.judge
        self._finish = judge.incompatible(self._delivery, self._operation, error, now)
        return Settlement(finish=self._finish)

    async def _settle(self, settlement: Callable[[float], Settlement]) -> Settled:
        settled = await self._runtime.settler.settle(settlement)
        self.note_settled(settled)
        return settled

    def note_settled(self, settled: Settled) -> None:
        """This became of the judgement, if there was one."""
        finish = self._finish
        if finish is None:
            return
        if settled.status is _DONE:
            self.note(finish, finish.attempts[-1].outcome or _SUCCEEDED)
        elif settled.status is SettleStatus.LEASE_LOST:
            self.note_lost(finish, settled)

    def note_lost(self, finish: Finish, settled: Settled | None = None) -> None:
        """The lease was lost before the attempt could be settled; perhaps the job was canceled."""
        if settled is not None and finish.lease.job_id in settled.canceled:
            self.canceled()
        if self._held.canceled:
            self.note(replace(finish, state=JobState.CANCELED), Outcome.CANCELED)
            return
        logger.warning("job %s: the lease was lost, nothing is written", finish.lease.job_id)
        self.note(finish, Outcome.LEASE_LOST)

    def note(self, finish: Finish, outcome: Outcome) -> None:
        """The attempt is over: for `/metrics`, and as a line in the log."""
        runtime, context = self._runtime, self._held.context
        seconds = max(0.0, runtime.clock.now() - self._started)
        runtime.metrics.attempt(self._operation.name, outcome, seconds)
        span = context.span if context else runtime.spans.attempt(self._delivery.job)
        span.end(outcome)
        if outcome is not _SUCCEEDED or runtime.settings.access_log:
            self._log(finish, outcome, seconds, span)

    def _log(self, finish: Finish, outcome: Outcome, seconds: float, span: Span) -> None:
        name = self._operation.name
        if attempt_log.isEnabledFor(logging.INFO):
            fields = {
                "job": finish.lease.job_id,
                "operation": name,
                "attempt": finish.starts,
                "outcome": outcome.value,
                "status": finish.state.value,
                "seconds": round(seconds, 6),
                "trace": span.trace_id,
                "span": span.id,
            }
            attempt_log.info(
                "%s %s: attempt %d %s, %.1f ms",
                name, finish.lease.job_id, finish.starts, outcome, seconds * 1e3,
                extra={"fields": fields},
            )  # fmt: skip

    async def give_back(self) -> None:
        """Settle it as given back."""
        await give_back(self._runtime, [(self, self.finish(GIVEN_BACK))])

    @property
    def lost(self) -> bool:
        """Whether the lease is known to be lost."""
        return self._held.lost

    def canceled(self) -> None:
        """The lease was lost because the job was canceled."""
        self._held.canceled = True


async def give_back(runtime: Runtime, given: Sequence[tuple[QueuedAttempt, Finish]]) -> None:
    """Settle attempts as given back; where the engine cannot, their leases lapse.

    Nothing is written where the lease is lost, but a canceled job's places in limits are free then.
    """
    try:
        for attempt, _ in given:
            if attempt.lost:
                await attempt.keep_thread()
        settled = await runtime.engine.settle([Settlement(finish=finish) for _, finish in given])
        for (attempt, finish), one in zip(given, settled, strict=True):
            if one.status is SettleStatus.LEASE_LOST:
                attempt.note_lost(finish, one)
            elif one.status is SettleStatus.FAILED:
                logger.warning("job %s is left to its lease: %s", finish.lease.job_id, one.error)
            else:
                attempt.note(finish, Outcome.INTERRUPTED)
    except EngineError as error:
        jobs = [finish.lease.job_id for _, finish in given]
        logger.warning("%s left to the lease: %s", shown(jobs), error)

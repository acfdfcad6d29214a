"""The direct door: an operation run on the call, within its limits, nothing stored but its work."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..context import Context
from ..ended import Ended
from ..engine.idempotency import KeyEnd
from ..engine.values import Finish, Settled, Settlement, SettleStatus, Work
from ..job import Attempt, Outcome
from ..keys import NOTHING, Counted
from ..operation import Operation
from ..problem import Problem
from ..trace import Trace
from ..unit import UnitOfWork
from .batch_member import Member
from .idempotency import HeldKey, in_use
from .runtime import Runtime

_RETRY_AFTER_SECONDS = 1.0
_DONE = Settled(status=SettleStatus.DONE)


class DirectCall:
    """One call of an operation, under an idempotency key where it has one.

    To be run once.
    """

    def __init__(
        self,
        runtime: Runtime,
        operation: Operation,
        arguments: Mapping[str, Any],
        headers: Mapping[str, str],
        counted: Counted = NOTHING,
        *,
        key: HeldKey | None = None,
        trace: Trace | None = None,
        principal: str | None = None,
    ) -> None:
        self._runtime = runtime
        self._operation = operation
        self._arguments = arguments
        self._headers = headers
        self._keys = counted.keys
        self._context: Context | None = None  # of the latest run
        self.key = key
        self._principal = principal
        self._ending: Ended | None = None  # what is about to be committed
        # every call has an id before its handler starts
        self.job_id = runtime.new_id() if key is None else key.job_id
        self.span = runtime.spans.call(operation.name, self.job_id, trace)

    async def run(self) -> Ended:
        """Run and commit; past the limits, the problem that refuses it. Engine errors pass."""
        ended = await self.run_if_room()
        if ended is None and self.key is not None:
            await self.key.let_go()
        return ended or self._refused()

    def run_if_room(self) -> Awaitable[Ended | None]:
        """Run and commit; None, and nothing is done, past the limits. Engine errors pass.

        A key is then held still, for the job that takes it over, or to be let go.
        """
        return self._run_in_place() if self.key is None else self._run_under(self.key)

    async def _run_under(self, held: HeldKey) -> Ended | None:
        async with held as key:
            ended = await self._run_in_place()
            key.stays = ended is None
        return _lost() if key.lost else ended

    async def _run_in_place(self) -> Ended | None:
        limiter, operation = self._runtime.limiter, self._operation
        taken = await limiter.acquire(operation, self._keys)
        if taken is None:
            return None
        outcome = Outcome.INTERRUPTED
        try:
            ended = await (self._run_as_batch() if operation.batch_max else self._run_alone())
            outcome = ended.outcome
            return ended
        finally:
            self.span.end(outcome)
            limiter.release(taken, self._context.thread if self._context else None)

    def _run_alone(self) -> Awaitable[Ended]:
        return self._runtime.runner.run(
            self._operation,
            self._arguments,
            new_context=self._new_context,
            commit=self._commit,
            timeout_seconds=self._operation.timeout_seconds,
            first_number=1,
        )

    async def _run_as_batch(self) -> Ended:
        """A batch of one."""
        operation = self._operation
        (value,) = self._arguments.values()
        member = _CalledItem(self.job_id, value, self._new_context, self._note)
        await self._runtime.batches.run(operation, [member], self._settle)
        return member.ended

    def _refused(self) -> Ended:
        name = self._operation.name
        wait = self._runtime.limiter.retry_after_seconds(self._operation, self._keys)
        after = max(wait, _RETRY_AFTER_SECONDS)
        detail = f"{name} is at its limit; nothing was stored, send the request again"
        problem = Problem.of("overloaded", detail, retry_after_seconds=after)
        return Ended(outcome=Outcome.THROTTLED, problem=problem)

    def _new_context(self, unit: UnitOfWork) -> Context:
        runtime, operation = self._runtime, self._operation
        self._context = Context(
            job_id=self.job_id,
            operation=operation.name,
            attempt=1,
            attempts_max=1,
            deadline=runtime.clock.now() + operation.timeout_seconds,
            headers=self._headers,
            span=self.span,
            unit=unit,
            enqueue=runtime.enqueue_within,
            principal=self._principal,
        )
        return self._context

    def _note(self, ended: Ended) -> None:
        self._ending = ended

    async def _commit(self, ended: Ended, work: Work, _: tuple[Attempt, ...]) -> Settled:
        self._note(ended)
        if self.key is None and not work:
            return _DONE
        (settled,) = await self._settle([Settlement(work=work)])
        return settled

    async def _settle(self, settlements: Sequence[Settlement]) -> Sequence[Settled]:
        if self.key is not None and self._ending is not None:
            return await self._settle_key(settlements, self.key.end(self._ending), self.key)
        if not any(settlement.work for settlement in settlements):
            return [_DONE for _ in settlements]
        return await self._runtime.engine.settle(settlements)

    async def _settle_key(
        self, settlements: Sequence[Settlement], end: KeyEnd, key: HeldKey
    ) -> Sequence[Settled]:
        """Commit the call's one settlement with the end of its key."""
        settled = await self._runtime.engine.settle([replace(s, key=end) for s in settlements])
        for one in settled:
            key.note(one)
        return settled


def _lost() -> Ended:
    """The end of a call that was too late: a repeat of it runs, or has run."""
    return Ended(outcome=Outcome.LEASE_LOST, problem=in_use())


class _CalledItem(Member):
    """The one item of a direct call, which holds no lease."""

    ended: Ended

    def __init__(
        self,
        job_id: str,
        value: Any,
        new_context: Callable[[UnitOfWork], Context],
        note: Callable[[Ended], None],
    ) -> None:
        super().__init__(job_id, value, deadline=math.inf, first_number=1)
        self._new_context = new_context
        self._note = note

    @property
    def lost(self) -> bool:
        return False

    def new_context(self, unit: UnitOfWork) -> Context:
        return self._new_context(unit)

    def finish(self, ended: Ended) -> Finish | None:
        self._note(ended)
        return None  # there is no job

    def settled(self, ended: Ended, finish: Finish | None) -> None:  # noqa: ARG002 - no job
        self.ended = ended

    def lose(self, finish: Finish | None) -> None:  # noqa: ARG002 - no job
        self.ended = _lost()  # the call's key

"""The direct door: an operation run on the call, within its limits, nothing stored but its work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..context import Context
from ..engine.values import Settled, Settlement, SettleStatus, Work
from ..execute import Ended
from ..job import Attempt, Outcome
from ..keys import NOTHING, Counted
from ..operation import Operation
from ..problem import Problem
from ..unit import UnitOfWork
from .runtime import Runtime

_RETRY_AFTER_SECONDS = 1.0


class DirectCall:
    """One call of an operation. `run` may be awaited once."""

    def __init__(
        self,
        runtime: Runtime,
        operation: Operation,
        arguments: Mapping[str, Any],
        headers: Mapping[str, str],
        counted: Counted = NOTHING,
    ) -> None:
        self._runtime = runtime
        self._operation = operation
        self._arguments = arguments
        self._headers = headers
        self._keys = counted.keys
        self._context: Context | None = None  # of the latest run
        self.job_id = runtime.new_id()  # every call has an id before its handler starts

    async def run(self) -> Ended:
        """Run and commit; past the limits, the problem that refuses it. Engine errors pass."""
        limiter, operation = self._runtime.limiter, self._operation
        taken = await limiter.acquire(operation, self._keys)
        if taken is None:
            return self._refused()
        try:
            return await self._runtime.runner.run(
                operation,
                self._arguments,
                new_context=self._new_context,
                commit=self._commit,
                timeout_seconds=operation.timeout_seconds,
                first_number=1,
            )
        finally:
            limiter.release(taken, self._context.thread if self._context else None)

    def _refused(self) -> Ended:
        name = self._operation.name
        wait = self._runtime.limiter.retry_after_seconds(self._operation, self._keys)
        after = max(wait, _RETRY_AFTER_SECONDS)
        detail = f"{name} is at its limit; nothing was stored, send the request again"
        problem = Problem.of("overloaded", detail, retry_after_seconds=after)
        return Ended(outcome=Outcome.THROTTLED, problem=problem)

    def _new_context(self, unit: UnitOfWork) -> Context:
        now = self._runtime.clock.now()
        self._context = self._runtime.context(
            self._operation,
            unit,
            job_id=self.job_id,
            headers=self._headers,
            deadline=now + self._operation.timeout_seconds,
        )
        return self._context

    async def _commit(self, _: Ended, work: Work, __: tuple[Attempt, ...]) -> Settled:
        if not work:
            return Settled(status=SettleStatus.DONE)
        (settled,) = await self._runtime.engine.settle([Settlement(work=work)])
        return settled

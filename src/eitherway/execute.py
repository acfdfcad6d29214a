"""THE path: validated arguments > middleware > dependencies > handler > encoded answer.

The same whichever the door. A direct call and a worker's attempt both end in `execute`; what they
do with what `Ended` says (reply, or settle the job) is all that differs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any, TypeVar

from .awaiting import all_awaited
from .clock import Clock
from .context import Context
from .ended import Ended, TimedOut, meaning
from .job import Outcome
from .operation import Operation
from .problem import Answer
from .resolving import Overrides, Resolution
from .time_limit import TimeLimit
from .unit import UnitOfWork, current_unit

T = TypeVar("T")
_SUCCEEDED = Outcome.SUCCEEDED
Middleware = Callable[[Context, Callable[[], Awaitable[Any]]], Awaitable[Any]]
"""Wraps every handler: `async def middleware(ctx, proceed): return await proceed()`."""


class Executor:
    """Runs handlers: coroutines on the loop, plain functions in threads."""

    def __init__(
        self,
        clock: Clock,
        middleware: Sequence[Middleware],
        threads_max: int,
        result_bytes_max: int,
    ) -> None:
        self.clock = clock
        self._middleware = tuple(middleware)
        self.call = self._call_within if middleware else self._call_handler
        self._threads = ThreadPoolExecutor(threads_max, thread_name_prefix="handler")
        self._result_bytes_max = result_bytes_max
        self.overrides: Overrides = {}  # of dependencies, in tests
        self.time_limits: dict[float, TimeLimit] = {}  # by their seconds: of operations
        self.loop: asyncio.AbstractEventLoop | None = None  # to ask for it is a system call

    def open(self) -> None:
        """Run handlers on this event loop from now on."""
        self.loop = asyncio.get_running_loop()

    def close(self) -> None:
        """Start no more plain handlers; those that run are left to end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def execute(
        self,
        operation: Operation,
        arguments: Mapping[str, Any],
        context: Context,
        unit: UnitOfWork,
        timeout_seconds: float,
    ) -> Awaitable[Ended]:
        """Run the handler once, at most `timeout_seconds`, and say how it ended. Never raises,
        but for a cancellation from outside (a drain, a lost lease)."""
        return self.run_handler(
            operation,
            arguments,
            context,
            unit,
            timeout_seconds,
            conclude=self.succeeded,
            explain=meaning,
        )

    async def run_handler(
        self,
        operation: Operation,
        arguments: Mapping[str, Any],
        context: Context,
        unit: UnitOfWork,
        timeout_seconds: float,
        *,
        conclude: Callable[[Operation, Any], T],
        explain: Callable[[Operation, Context, Exception], T],
    ) -> T:
        """What `conclude` makes of what the handler returns within its middleware, or `explain`
        of what it raises: `TimedOut` past the time.

        Its dependencies are open until it has concluded, and closed before this returns.
        """
        attempt = _Attempt(self, operation, arguments, context, timeout_seconds)
        token = current_unit.set(unit)
        try:
            if attempt.needs.dependencies or context.span.exports:
                return await self._conclude_within(attempt, conclude)
            return conclude(operation, await all_awaited(self.call, attempt))
        except asyncio.CancelledError:
            context.cancel()
            if attempt.ran_out():
                return explain(operation, context, TimedOut())
            raise
        except Exception as error:  # noqa: BLE001 - whatever a handler raises has a meaning
            return explain(operation, context, error)
        finally:
            attempt.end()
            current_unit.reset(token)

    async def _conclude_within(
        self, attempt: _Attempt, conclude: Callable[[Operation, Any], T]
    ) -> T:
        """The same in its span, and with its dependencies open."""
        operation = attempt.operation
        with attempt.context.span:
            if not attempt.needs.dependencies:
                return conclude(operation, await all_awaited(self.call, attempt))
            async with attempt.resolve() as attempt.resolution:
                return conclude(operation, await all_awaited(self.call, attempt))

    def new_time_limit(self, operation: Operation, seconds: float) -> TimeLimit:
        """The operation's own, to be kept, or another one where a deadline leaves less."""
        limit = TimeLimit(self.clock, seconds)
        if seconds == operation.timeout_seconds:
            self.time_limits[seconds] = limit
        return limit

    def succeeded(self, operation: Operation, value: Any) -> Ended:
        """The end of an attempt with this result. `TypeError`, `ValueError` where it is none."""
        body = operation.binding.encode_result(value)
        if len(body) > self._result_bytes_max:
            raise ValueError(
                f"the result has {len(body)} bytes, of {self._result_bytes_max} allowed"
            )
        answer = Answer(operation.status, "application/json", body)
        return Ended(_SUCCEEDED, answer)

    def _call_within(self, attempt: _Attempt) -> Awaitable[Any]:
        """The handler within its middleware."""
        if attempt.operation.is_own:
            return self._call_handler(attempt)
        proceed: Callable[[], Awaitable[Any]] = partial(self._call_handler, attempt)
        for middleware in reversed(self._middleware):
            proceed = partial(middleware, attempt.context, proceed)
        return proceed()

    def _call_handler(self, attempt: _Attempt) -> Awaitable[Any]:
        if attempt.resolution is not None:
            return self._call_with_dependencies(attempt, attempt.resolution)
        return self._call_with(attempt, attempt.given)

    async def _call_with_dependencies(self, attempt: _Attempt, resolution: Resolution) -> Any:
        return await self._call_with(attempt, await resolution.arguments_of(attempt.needs))

    def _call_with(self, attempt: _Attempt, arguments: Mapping[str, Any]) -> Awaitable[Any]:
        operation = attempt.operation
        if operation.is_async:
            called: Awaitable[Any] = operation.handler(**arguments)
            return called
        return attempt.run_plain(partial(operation.handler, **arguments))

    async def in_thread(self, context: Context, function: Callable[[], Any]) -> Any:
        """Run a plain function in a thread, which `context.thread` is from then on."""
        thread = asyncio.get_running_loop().run_in_executor(self._threads, function)
        context.thread = thread
        return await asyncio.shield(thread)


class _Attempt:
    """One run of a handler, in the task that makes it, with its time limit from then on."""

    __slots__ = (
        "_executor",
        "_task",
        "_time_limit",
        "_timed_out",
        "context",
        "given",
        "needs",
        "operation",
        "resolution",
    )

    def __init__(
        self,
        executor: Executor,
        operation: Operation,
        arguments: Mapping[str, Any],
        context: Context,
        timeout_seconds: float,
    ) -> None:
        self._executor = executor
        self.operation = operation
        self.context = context
        self.needs = operation.binding.needs
        self.given = arguments  # to the handler; with dependencies, to them as well
        if self.needs.contexts:
            self.given = {**arguments, **dict.fromkeys(self.needs.contexts, context)}
        self.resolution: Resolution | None = None  # where there are dependencies
        self._timed_out = False
        self._task = asyncio.current_task(executor.loop)
        known = executor.time_limits.get(timeout_seconds)
        self._time_limit = known or executor.new_time_limit(operation, timeout_seconds)
        self._time_limit.begin(self)

    async def run_plain(self, function: Callable[[], Any]) -> Any:
        """Run a plain function in a thread, within the context variables of the attempt."""
        if self.resolution is not None:
            return await self.resolution.run_plain(function)
        within = partial(copy_context().run, function)
        return await self._executor.in_thread(self.context, within)

    def resolve(self) -> Resolution:
        """What its dependencies are open within."""
        executor = self._executor
        return Resolution(self.given, self.context, executor.in_thread, executor.overrides)

    def ran_out(self) -> bool:
        """Whether it is its time limit that cancelled it, and nobody else did."""
        if not self._timed_out or self._task is None:
            return False
        self.end()
        return not self._task.cancelling()

    def end(self) -> None:
        """It is over: the time limit has no say any more, and has not had one. Idempotent."""
        self._time_limit.end(self)
        if self._timed_out and self._task is not None:
            self._timed_out = False
            self._task.uncancel()

    def run_out(self) -> None:
        """Its time is over: it is cancelled, and says so at its end."""
        self._timed_out = True
        self.context.cancel()
        if self._task is not None:
            self._task.cancel()

"""The dependencies of one attempt: made when its handler is called, closed when that has ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from contextvars import Context as Variables
from contextvars import copy_context
from functools import partial
from types import TracebackType
from typing import Any, Self

from .context import Context
from .dependencies import Dependency, Needs

logger = logging.getLogger("eitherway.execute")

Overrides = Mapping[Any, Dependency]
InThread = Callable[[Context, Callable[[], Any]], Awaitable[Any]]
"""Runs a plain function in a thread, which `Context.thread` is from then on."""

_NOT_SET = object()
_CLOSING: set[asyncio.Task[None]] = set()
"""What is closed later: the event loop itself would let go of it."""


class Resolution:
    """Makes each dependency once, and closes all around the handler and the reading of its result.

    An async context manager. What ends the block is thrown into generators, the last one first;
    what they raise then takes its place, what they swallow does not go away. All of it is before
    the commit: what a dependency commits as it is closed belongs to the attempt, and its failure
    fails that.
    """

    def __init__(
        self,
        arguments: Mapping[str, Any],
        context: Context,
        in_thread: InThread,
        overrides: Overrides,
    ) -> None:
        self._arguments = arguments
        self._context = context
        self._in_thread = in_thread
        self._overrides = overrides
        self._stack = AsyncExitStack()
        self._made: dict[Any, Any] = {}
        self._variables: Variables | None = None  # of the plain functions, one for all of them

    async def arguments_of(self, needs: Needs) -> dict[str, Any]:
        """The keyword arguments of a function that takes this."""
        known = self._arguments
        arguments = {name: known[name] for name in needs.own if name in known}
        arguments.update(dict.fromkeys(needs.contexts, self._context))
        for name, dependency in needs.dependencies.items():
            arguments[name] = await self._value(dependency)
        return arguments

    async def _value(self, dependency: Dependency) -> Any:
        key = dependency.key
        if dependency.use_cache and key in self._made:
            return self._made[key]
        made_by = self._overrides.get(key, dependency)
        value = await self._make(made_by, await self.arguments_of(made_by.needs))
        self._made.setdefault(key, value)
        return value

    async def _make(self, dependency: Dependency, arguments: Mapping[str, Any]) -> Any:
        call = dependency.call
        if dependency.kind == "coroutine":
            return await call(**arguments)
        if dependency.kind == "async generator":
            return await self._stack.enter_async_context(asynccontextmanager(call)(**arguments))
        if dependency.kind == "generator":
            return await self._enter(call, arguments)
        return await self.run_plain(partial(call, **arguments))

    async def _enter(self, call: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
        manager = contextmanager(call)(**arguments)
        entered = False

        def enter() -> Any:
            nonlocal entered
            value = manager.__enter__()
            entered = True
            return value

        async def leave(
            kind: type[BaseException] | None,
            error: BaseException | None,
            trace: TracebackType | None,
        ) -> bool | None:
            if not entered:
                return False
            return await self.run_plain(partial(manager.__exit__, kind, error, trace))  # type: ignore[no-any-return]

        self._stack.push_async_exit(leave)  # first: a cancellation does not stop the thread
        return await self.run_plain(enter)

    async def run_plain(self, function: Callable[[], Any]) -> Any:
        """Run a plain function in a thread; all see the context variables that others have set."""
        variables = self._variables = self._variables or copy_context()
        for variable, value in copy_context().items():
            if variables.get(variable, _NOT_SET) is not value:
                variables.run(variable.set, value)
        before = variables.copy()
        result = await self._in_thread(self._context, partial(variables.run, function))
        for variable, value in variables.items():
            if before.get(variable, _NOT_SET) is not value:
                variable.set(value)
        return result

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        thread = self._context.thread
        if thread is None or thread.done():
            await self._close(error)
            return
        # a plain function goes on past its time, and uses what is open; its place is held meanwhile
        closing = asyncio.create_task(self._close_after(thread, error))
        self._context.thread = closing
        _CLOSING.add(closing)
        closing.add_done_callback(_CLOSING.discard)

    async def _close_after(self, thread: asyncio.Future[Any], error: BaseException | None) -> None:
        await asyncio.wait({thread})
        try:
            await self._close(error)
        except Exception as failed:  # noqa: BLE001 - it is the user's, and nobody waits for it
            self._log(failed)

    async def _close(self, error: BaseException | None) -> None:
        trace = error.__traceback__ if error is not None else None
        try:
            await self._stack.__aexit__(type(error) if error else None, error, trace)
        except Exception as failed:
            if not isinstance(error, asyncio.CancelledError):
                raise
            self._log(failed)  # the attempt ends as it was going to

    def _log(self, failed: Exception) -> None:
        name = self._context.operation
        logger.error("%s: a dependency failed as it was closed", name, exc_info=failed)

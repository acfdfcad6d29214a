"""The typed face of `enqueue`: what `App` and `TestApp` have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Concatenate, ParamSpec, TypeVar, overload

from .awaiting import Call, to_be_awaited
from .context import BatchHandler, Context
from .handle import Job

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A")

_WAY_OUT = "await it (in a handler, ctx.enqueue(...) needs none, and belongs to the attempt)"


class Enqueueing(ABC):
    """Has `enqueue`: strict about the handler's arguments, unless the job is for later.

    A `ParamSpec` leaves no room for a keyword beside the handler's own, so calls with
    `delay_seconds` or `at` are checked when they are made.
    """

    @abstractmethod
    async def _enqueue(
        self, handler: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Job[Any]:
        """Store the job."""

    @overload
    def enqueue(
        self, handler: BatchHandler[A, T], item: A, /, *, delay_seconds: float
    ) -> Call[Job[T]]: ...
    @overload
    def enqueue(self, handler: BatchHandler[A, T], item: A, /, *, at: datetime) -> Call[Job[T]]: ...
    @overload
    def enqueue(
        self,
        handler: Callable[..., Awaitable[T]],
        *args: Any,
        delay_seconds: float,
        **kwargs: Any,
    ) -> Call[Job[T]]: ...
    @overload
    def enqueue(
        self, handler: Callable[..., Awaitable[T]], *args: Any, at: datetime, **kwargs: Any
    ) -> Call[Job[T]]: ...
    @overload
    def enqueue(
        self, handler: Callable[..., T], *args: Any, delay_seconds: float, **kwargs: Any
    ) -> Call[Job[T]]: ...
    @overload
    def enqueue(
        self, handler: Callable[..., T], *args: Any, at: datetime, **kwargs: Any
    ) -> Call[Job[T]]: ...
    @overload
    def enqueue(
        self,
        handler: Callable[Concatenate[Context, P], Awaitable[T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Call[Job[T]]: ...
    @overload
    def enqueue(
        self, handler: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> Call[Job[T]]: ...
    @overload
    def enqueue(
        self, handler: Callable[Concatenate[Context, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> Call[Job[T]]: ...
    @overload
    def enqueue(
        self, handler: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> Call[Job[T]]: ...
    @overload
    def enqueue(self, handler: BatchHandler[A, T], item: A, /) -> Call[Job[T]]: ...

    def enqueue(self, handler: Callable[..., Any], *args: Any, **kwargs: Any) -> Call[Job[Any]]:
        """Store a job that runs the handler; durable on return.

        `delay_seconds=` or `at=` (a `datetime` with a time zone) makes it wait, `scheduled`, until
        then; one in the past is due now. `InvalidInputError`; `BacklogFullError` past the
        operation's `backlog_max`: in both cases nothing is stored.
        """
        return to_be_awaited("enqueue(...)", self._enqueue(handler, args, kwargs), _WAY_OUT)

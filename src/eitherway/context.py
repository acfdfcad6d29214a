"""What a handler may know and do: the parameter that it annotates with `Context`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, overload

from .handle import Job
from .trace import Span
from .unit import UnitOfWork

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A")


class Enqueue(Protocol):
    """The port behind `Context.enqueue`: buffers a job in the attempt's work."""

    def __call__(
        self, context: Context, handler: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Job[Any]:
        """Buffer the job that runs `handler`."""


class Context:
    """One attempt, seen from its handler. The same in both deliveries."""

    def __init__(  # noqa: PLR0917 - of every attempt: names take three times as long
        self,
        job_id: str,
        operation: str,
        attempt: int,
        attempts_max: int,
        deadline: float,
        headers: Mapping[str, str],
        span: Span,
        unit: UnitOfWork,
        enqueue: Enqueue,
        principal: str | None = None,
    ) -> None:
        self.job_id = job_id
        self.operation = operation
        self.attempt = attempt
        self.attempts_max = attempts_max
        self._deadline = deadline
        self.span = span  # of this attempt (used by eitherway)
        self.unit = unit  # its work, with what it enqueues (used by eitherway)
        self._request_headers = headers
        self._headers: Mapping[str, str] | None = None
        self.principal = principal
        self.thread: asyncio.Future[Any] | None = None  # of a plain handler (set by eitherway)
        self._enqueue = enqueue
        self._canceled = False
        self._progress: dict[str, Any] | None = None

    @property
    def deadline(self) -> datetime:
        """When the attempt has to be over."""
        return datetime.fromtimestamp(self._deadline, UTC)

    @property
    def headers(self) -> Mapping[str, str]:
        """The request's headers, by lower-case name, `traceparent` and `tracestate` as to send on.

        They name the trace that the job belongs to, and this attempt as the one that asks.
        """
        if self._headers is None:
            state = self.span.tracestate
            self._headers = {
                **self._request_headers,
                "traceparent": self.span.traceparent,
                **({"tracestate": state} if state else {}),
            }
        return self._headers

    @property
    def traceparent(self) -> str:
        """This attempt in its trace: the header `traceparent` of calls that it makes (W3C)."""
        return self.span.traceparent

    @property
    def canceled(self) -> bool:
        """Whether nobody waits for this attempt any more: a plain `def` handler should stop."""
        return self._canceled

    def cancel(self) -> None:
        """Tell the handler that its attempt is over (called by eitherway)."""
        self._canceled = True

    def progress(self, fraction: float, note: str | None = None) -> None:
        """Tell watchers how far the job is, from 0 to 1; recorded within a second. Thread-safe."""
        if not 0 <= fraction <= 1:
            raise ValueError("progress is a fraction from 0 to 1")
        self._progress = {"fraction": fraction, "note": note}

    def item(self, index: int) -> AbstractContextManager[Context]:
        """In a batch handler: the view of one item; what is written within belongs to it alone.

        `IndexError` when there is no such item, `RuntimeError` in any other handler.
        """
        raise RuntimeError(
            f"ctx.item({index}) is for batch handlers, and {self.operation} is none: "
            "declare it with batch_max="
        )

    def take_progress(self) -> dict[str, Any] | None:
        """The progress told since the last call (called by eitherway)."""
        progress, self._progress = self._progress, None
        return progress

    @overload
    def enqueue(
        self, handler: BatchHandler[A, T], item: A, /, *, delay_seconds: float
    ) -> Job[T]: ...
    @overload
    def enqueue(self, handler: BatchHandler[A, T], item: A, /, *, at: datetime) -> Job[T]: ...
    @overload
    def enqueue(
        self,
        handler: Callable[..., Awaitable[T]],
        *args: Any,
        delay_seconds: float,
        **kwargs: Any,
    ) -> Job[T]: ...
    @overload
    def enqueue(
        self, handler: Callable[..., Awaitable[T]], *args: Any, at: datetime, **kwargs: Any
    ) -> Job[T]: ...
    @overload
    def enqueue(
        self, handler: Callable[..., T], *args: Any, delay_seconds: float, **kwargs: Any
    ) -> Job[T]: ...
    @overload
    def enqueue(
        self, handler: Callable[..., T], *args: Any, at: datetime, **kwargs: Any
    ) -> Job[T]: ...
    @overload
    def enqueue(
        self,
        handler: Callable[Concatenate[Context, P], Awaitable[T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Job[T]: ...
    @overload
    def enqueue(
        self, handler: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> Job[T]: ...
    @overload
    def enqueue(
        self, handler: Callable[Concatenate[Context, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> Job[T]: ...
    @overload
    def enqueue(self, handler: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Job[T]: ...
    @overload
    def enqueue(self, handler: BatchHandler[A, T], item: A, /) -> Job[T]: ...

    def enqueue(self, handler: Callable[..., Any], *args: Any, **kwargs: Any) -> Job[Any]:
        """Enqueue another operation, if and only if this attempt commits.

        Returns at once (`await` is allowed and does nothing more); the job has its id already.
        `delay_seconds=` and `at=` as in `App.enqueue`. `InvalidInputError`; never
        `BacklogFullError`: the job belongs to the attempt.
        """
        return self._enqueue(self, handler, *args, **kwargs)


BatchHandler = (
    Callable[[list[A]], Awaitable[Sequence[T | Exception | BaseException]]]
    | Callable[[list[A]], Sequence[T | Exception | BaseException]]
    | Callable[[Context, list[A]], Awaitable[Sequence[T | Exception | BaseException]]]
    | Callable[[Context, list[A]], Sequence[T | Exception | BaseException]]
)
"""Takes a list of items and gives a result for each: what `batch_max=` is for."""

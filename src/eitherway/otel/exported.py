"""One span, exported with OpenTelemetry's API to whatever provider is set up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import Token
from dataclasses import dataclass, field
from time import perf_counter, time_ns
from types import TracebackType
from typing import Self

from opentelemetry import trace as otel
from opentelemetry.context import Context, attach, detach, get_current
from opentelemetry.trace import SpanContext, SpanKind, StatusCode, TraceFlags
from opentelemetry.trace.propagation import set_span_in_context
from opentelemetry.trace.span import TraceState

from ..job import Outcome
from ..signals import Reject, RetryLater, Throttled
from ..trace import Calling, Span, Trace

Attributes = Mapping[str, str | int]

_SIGNALS = (Reject, RetryLater, Throttled)
_NO_FAILURE = frozenset({Outcome.SUCCEEDED, Outcome.REJECTED, Outcome.CANCELED})


@dataclass(frozen=True, kw_only=True)
class Start:
    """What a span starts with."""

    tracer: otel.Tracer
    name: str
    kind: SpanKind
    attributes: Attributes
    trace: Trace | None  # whose child it is; None: of what goes on here, if anything does
    over: Callable[[float, str | None], None] | None = None  # told how long, and of which error
    at: int = field(default_factory=time_ns)
    since: float = field(default_factory=perf_counter)

    def begin(self) -> otel.Span:
        """Start it."""
        return self.tracer.start_span(
            self.name,
            context_of(self.trace),
            self.kind,
            attributes=self.attributes,
            start_time=self.at,
        )


class ExportedSpan(Span):
    """Begins when somebody looks, or something is done within; with the time at which it was made.

    Where no provider is set up it is what it would be without OpenTelemetry.
    """

    __slots__ = ("_error", "_otel", "_over", "_start", "_token")

    exports = True

    def __init__(
        self, job_id: str, trace: Trace | None, new_id: Callable[[], str], start: Start
    ) -> None:
        super().__init__(job_id, trace, new_id)
        self._start = start
        self._otel: otel.Span | None = None
        self._token: Token[Context] | None = None
        self._error: BaseException | None = None
        self._over = False

    @property
    def begun(self) -> otel.Span:
        """The span itself."""
        if self._otel is None:
            self._otel = self._start.begin()
        return self._otel

    def __enter__(self) -> Self:
        self._token = attach(set_span_in_context(self.begun))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        if self._token is not None:
            detach(self._token)
            self._token = None
        if isinstance(error, Exception) and not isinstance(error, _SIGNALS):
            self._error = error

    def end(self, outcome: str) -> None:
        """End it, as failed unless the outcome is an answer or somebody's wish."""
        if self._over:
            return
        self._over = True
        span = self.begun
        span.set_attribute("eitherway.outcome", outcome)
        error = None
        if outcome not in _NO_FAILURE:
            if self._error is not None:
                span.record_exception(self._error)
            error = outcome if self._error is None else name_of(self._error)
            fail(span, error)
        span.end()
        if self._start.over is not None:
            self._start.over(perf_counter() - self._start.since, error)

    def abandon(self, outcome: str) -> None:
        """End it, if it has begun."""
        if self._otel is not None:
            self.end(outcome)

    @contextmanager
    def calling(self, method: str, host: str, port: int) -> Iterator[Calling]:
        """A span of the client's; its place in the trace is what to send along."""
        start = Start(
            tracer=self._start.tracer,
            name=method,
            kind=SpanKind.CLIENT,
            attributes={"http.request.method": method, "server.address": host, "server.port": port},
            trace=None,
        )
        with otel.use_span(start.begin(), end_on_exit=True, record_exception=False) as span:
            try:
                yield _Called(span)
            except Exception as error:
                fail(span, name_of(error))
                raise

    @property
    def id(self) -> str:
        """As the provider made it."""
        context = self._own
        return super().id if context is None else f"{context.span_id:016x}"

    @property
    def trace_id(self) -> str:
        """Of the caller, else as the provider made it."""
        context = self._own
        return super().trace_id if context is None else f"{context.trace_id:032x}"

    @property
    def traceparent(self) -> str:
        """With the provider's decision to sample."""
        context = self._own
        return super().traceparent if context is None else trace_at(context).traceparent

    @property
    def tracestate(self) -> str | None:
        """As samplers have made it."""
        context = self._own
        return super().tracestate if context is None else trace_at(context).tracestate

    @property
    def _own(self) -> SpanContext | None:
        """Where it is in its trace; None where there is no provider, which makes no ids."""
        return own_context(self.begun, self.trace)


class _Called(Calling):
    def __init__(self, span: otel.Span) -> None:
        context = own_context(span, None)
        self.trace = None if context is None else trace_at(context)
        self._span = span

    def answered(self, status: int) -> None:
        self._span.set_attribute("http.response.status_code", status)
        if status >= 400:
            fail(self._span, str(status))


def fail(span: otel.Span, kind: str) -> None:
    """Say that what the span is about failed."""
    span.set_attribute("error.type", kind)
    span.set_status(StatusCode.ERROR)


def name_of(error: BaseException) -> str:
    """What semantic conventions call an exception's type."""
    kind = type(error)
    module = kind.__module__
    return kind.__qualname__ if module == "builtins" else f"{module}.{kind.__qualname__}"


def own_context(span: otel.Span, parent: Trace | None) -> SpanContext | None:
    """The span's own place; None where it has none: without a provider it is its parent's."""
    context = span.get_span_context()
    if not context.is_valid or (
        parent is not None and f"{context.span_id:016x}" == parent.traceparent[36:52]
    ):
        return None
    return context


def trace_at(context: SpanContext) -> Trace:
    """A place in a trace, as we keep it."""
    parent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags & 0x03:02x}"
    return Trace(parent, context.trace_state.to_header() or None)


def context_of(trace: Trace | None) -> Context:
    """In which a span is made that is the child of this; of what goes on here where that is it."""
    here = get_current()
    if trace is None:
        return here
    _, trace_id, span_id, flags = trace.traceparent.split("-")
    parent = otel.get_current_span(here).get_span_context()
    if (parent.trace_id, parent.span_id) == (int(trace_id, 16), int(span_id, 16)):
        return here
    state = TraceState.from_header([trace.tracestate]) if trace.tracestate else None
    asked = SpanContext(
        trace_id=int(trace_id, 16),
        span_id=int(span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(int(flags, 16)),
        trace_state=state,
    )
    return set_span_in_context(otel.NonRecordingSpan(asked), here)

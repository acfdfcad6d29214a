"""The spans of a process, named as OpenTelemetry's semantic conventions 1.44 say.

Those of HTTP are stable there, those of messaging in development: this file is where they are kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from time import perf_counter
from types import TracebackType
from typing import Any

from opentelemetry import metrics
from opentelemetry import trace as otel
from opentelemetry.trace import SpanKind

from ..engine.values import NewJob
from ..job import JobRecord
from ..spans import Serving, Spans
from ..trace import Span, Trace, starting
from .exported import Attributes, ExportedSpan, Start, fail, name_of, own_context, trace_at
from .instruments import SCHEMA, Instruments

_FLUSH_SECONDS = 5.0
_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})


class ExportedSpans(Spans):
    """Makes spans of OpenTelemetry; whichever provider is set up gets them."""

    exports = True

    def __init__(self, new_id: Callable[[], str]) -> None:
        super().__init__(new_id)
        self._tracer = otel.get_tracer("eitherway", schema_url=SCHEMA)
        self._instruments = Instruments()

    def serving(self, scope: Mapping[str, Any], trace: Trace | None) -> Serving:
        """A request: of the server; within a host that has a span of it, one more."""
        method = scope["method"]
        known = method in _METHODS
        hosted = otel.get_current_span().get_span_context().is_valid
        start = Start(
            tracer=self._tracer,
            name=method if known else "HTTP",
            kind=SpanKind.INTERNAL if hosted else SpanKind.SERVER,
            attributes={
                "http.request.method": method if known else "_OTHER",
                "url.path": scope["path"],
                "url.scheme": scope.get("scheme", "http"),
            },
            trace=None if hosted else trace,
        )
        return _Serving(ExportedSpan("", trace, self._new_id, start), start, self._instruments)

    def call(self, operation: str, job_id: str, trace: Trace | None) -> Span:
        """A handler, run on the call."""
        attributes = {"eitherway.operation": operation, "eitherway.job": job_id}
        start = Start(
            tracer=self._tracer,
            name=f"run {operation}",
            kind=SpanKind.INTERNAL,
            attributes=attributes,
            trace=trace,
        )
        return ExportedSpan(job_id, trace, self._new_id, start)

    def attempt(self, job: JobRecord) -> Span:
        """A job, processed: the child of the span that sent it."""
        trace = _started(job)
        attributes = _message("process", "process", job.operation, job.id)
        start = Start(
            tracer=self._tracer,
            name=f"process {job.operation}",
            kind=SpanKind.CONSUMER,
            attributes={**attributes, "eitherway.attempt": job.starts},
            trace=trace,
            over=partial(self._instruments.processed, job.operation),
        )
        return ExportedSpan(job.id, trace, self._new_id, start)

    @contextmanager
    def sending(self, job: NewJob) -> Iterator[NewJob]:
        """A job, stored: its attempts are children of this."""
        with self._producing("send", job) as sent:
            yield sent

    def created(self, job: NewJob) -> NewJob:
        """A job to be stored with its attempt's commit, if that comes."""
        with self._producing("create", job) as created:
            return created

    @contextmanager
    def telling(self, job: JobRecord, to: str) -> Iterator[None]:
        """The event of an end, sent to one reader."""
        start = Start(
            tracer=self._tracer,
            name=f"tell {to}",
            kind=SpanKind.PRODUCER,
            attributes={
                **_message("tell", "send", to, job.id),
                "eitherway.operation": job.operation,
                "eitherway.status": job.state.value,
            },
            trace=_started(job),
        )
        with _within(start):
            yield

    async def close(self) -> None:
        """Send what is left: who leaves by `os._exit` has nothing sent at exit."""
        for provider in (otel.get_tracer_provider(), metrics.get_meter_provider()):
            flush = getattr(provider, "force_flush", None)
            if flush is not None:
                with suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.to_thread(flush), _FLUSH_SECONDS)

    @contextmanager
    def _producing(self, kind: str, job: NewJob) -> Iterator[NewJob]:
        trace = Trace(job.traceparent, job.tracestate) if job.traceparent else None
        start = Start(
            tracer=self._tracer,
            name=f"{kind} {job.operation}",
            kind=SpanKind.PRODUCER,
            attributes=_message(kind, kind, job.operation, job.id),
            trace=trace,
            over=partial(self._instruments.sent, kind, job.operation),
        )
        with _within(start) as span:
            context = own_context(span, trace)
            kept = trace if context is None else trace_at(context)
            if kept is None:
                yield job
            else:
                yield replace(job, traceparent=kept.traceparent, tracestate=kept.tracestate)


class _Serving(Serving):
    def __init__(self, span: ExportedSpan, start: Start, instruments: Instruments) -> None:
        self.span: ExportedSpan = span
        self._start = start
        self._instruments = instruments
        self._measured = {
            name: start.attributes[name] for name in ("http.request.method", "url.scheme")
        }

    def __enter__(self) -> None:
        self.span.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            self._fail(name_of(error))
        self.span.__exit__()
        self.span.begun.end()
        self._instruments.request(perf_counter() - self._start.since, self._measured)

    def answered(self, route: str, status: int) -> None:
        span = self.span.begun
        if route:
            self._measured["http.route"] = route
            span.update_name(f"{self._start.name} {route}")
        if status:
            self._measured["http.response.status_code"] = status
        span.set_attributes(self._measured)
        if status >= 500:
            self._fail(str(status))

    def _fail(self, kind: str) -> None:
        fail(self.span.begun, kind)
        self._measured["error.type"] = kind


@contextmanager
def _within(start: Start) -> Iterator[otel.Span]:
    """Around what a span is about; who raises names its error."""
    failed = None
    with otel.use_span(start.begin(), end_on_exit=True, record_exception=False) as span:
        try:
            yield span
        except Exception as error:
            failed = name_of(error)
            fail(span, failed)
            raise
        finally:
            if start.over is not None:
                start.over(perf_counter() - start.since, failed)


def _started(job: JobRecord) -> Trace:
    """The trace of a job, also of one that was accepted while nobody exported."""
    return Trace(starting(job.id, job.traceparent), job.tracestate)


def _message(name: str, kind: str, destination: str, job_id: str) -> Attributes:
    return {
        "messaging.system": "eitherway",
        "messaging.operation.name": name,
        "messaging.operation.type": kind,
        "messaging.destination.name": destination,
        "messaging.message.id": job_id,
        "messaging.message.conversation_id": job_id,
    }

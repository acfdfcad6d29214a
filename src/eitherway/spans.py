"""Where the spans of a process begin and end; here nothing leaves it (`eitherway.otel` exports)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from .engine.values import NewJob
from .job import JobRecord
from .trace import Span, Trace


class Serving(AbstractContextManager[None]):
    """A request that is being answered, as a span."""

    span: Span

    def answered(self, route: str, status: int) -> None:
        """The path as it was declared, and what was answered; 0: nothing was."""


class Spans:
    """Makes them. `new_id` gives an id of 16 hexadecimal digits."""

    exports = False  # whether anybody sees requests, and who is told

    def __init__(self, new_id: Callable[[], str]) -> None:
        self._new_id = new_id

    def serving(self, scope: Mapping[str, Any], trace: Trace | None) -> Serving:
        """The span of a request, where spans are exported."""
        raise NotImplementedError

    def call(self, operation: str, job_id: str, trace: Trace | None) -> Span:  # noqa: ARG002
        """The span of a call that is run now."""
        return Span(job_id, trace, self._new_id)

    def attempt(self, job: JobRecord) -> Span:
        """The span of one attempt of a job."""
        trace = Trace(job.traceparent, job.tracestate) if job.traceparent else None
        return Span(job.id, trace, self._new_id)

    def request(self, trace: Trace | None, job_id: str = "") -> Span:
        """The place in its trace, or in that of its job, of a request that is no call."""
        return Span(job_id, trace, self._new_id)

    def sending(self, job: NewJob) -> AbstractContextManager[NewJob]:
        """Around the write that stores a job, which is to be stored as this gives it."""
        return nullcontext(job)

    def created(self, job: NewJob) -> NewJob:
        """A job that is stored when the attempt that makes it commits."""
        return job

    def telling(self, job: JobRecord, to: str) -> AbstractContextManager[None]:
        """Around telling one reader of a job's end, where spans are exported."""
        raise NotImplementedError

    async def close(self) -> None:
        """Let go of those that have not left the process yet."""

"""What is noted of each request: a duration for `/metrics` and, where wished, a line in the log."""

from __future__ import annotations

import logging
from time import perf_counter

from ..attempt.runtime import Runtime
from .routes import Request
from .whole import Answering
from .wire import trace_of

logger = logging.getLogger("eitherway.request")


class Observer:
    """Notes requests as they end."""

    def __init__(self, runtime: Runtime) -> None:
        self._metrics = runtime.metrics
        self._span_of = runtime.spans.request
        self._access_log = runtime.settings.access_log

    def ended(self, request: Request, answering: Answering) -> None:
        """A request is over."""
        seconds = perf_counter() - answering.started
        method = request.scope["method"]
        self._metrics.request(method, request.route, answering.status, seconds)
        if self._access_log and logger.isEnabledFor(logging.INFO):
            self._log(request, answering.status, seconds)

    def _log(self, request: Request, status: int, seconds: float) -> None:
        method, path = request.scope["method"], request.scope["path"]
        span = request.span
        trace = None if span else trace_of(request.scope["headers"])
        if trace is not None or (span is None and request.job_id is not None):
            span = self._span_of(trace, request.job_id or "")
        fields = {
            "method": method,
            "path": path,
            "route": request.route,
            "status": status,
            "seconds": round(seconds, 6),
            "operation": request.operation,
            "job": request.job_id,
            "trace": span.trace_id if span else None,
            "span": span.id if span else None,
        }
        about = f" job {request.job_id}" if request.job_id else ""
        logger.info(
            "%s %s %d %.1f ms%s", method, path, status, seconds * 1e3, about,
            extra={"fields": fields},
        )  # fmt: skip

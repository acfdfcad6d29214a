"""How attempts end: what a result, a signal or an exception of a handler says."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass

from .causes import CAUSE_CHARS_MAX, cause_of, exception_text, pattern
from .context import Context
from .errors import BacklogFullError, EngineUnavailableError
from .job import Outcome
from .operation import Operation
from .problem import Answer, Problem
from .signals import Reject, RetryLater, Throttled

logger = logging.getLogger("eitherway.execute")


@dataclass(slots=True)
class Ended:
    """How an attempt ended, before anything of it is committed."""

    outcome: Outcome
    answer: Answer | None = None  # of a success
    problem: Problem | None = None  # of everything else
    exception: str | None = None  # for operators
    cause: str | None = None  # of an exception: what dead letters are grouped by
    delay_seconds: float | None = None  # what the handler asked for
    permanent: bool = False  # never to be retried
    error: BaseException | None = None  # what the handler raised, where that was no signal


class TimedOut(Exception):  # noqa: N818 - it is told apart by its type, and never shown
    """The handler ran out of its time."""


def meaning(operation: Operation, context: Context, error: BaseException) -> Ended:
    """What an exception says: a signal, an HTTP answer, or a failure."""
    if isinstance(error, TimedOut):
        detail = f"an attempt of {operation.name} may take {operation.timeout_seconds:g} s"
        return Ended(outcome=Outcome.TIMED_OUT, problem=Problem.of("timed-out", detail))
    if isinstance(error, Reject):
        return _rejected(error.detail, error.status)
    if isinstance(error, RetryLater):
        problem = Problem.of("retry-later", error.detail, retry_after_seconds=error.seconds)
        return Ended(
            outcome=Outcome.ERROR,
            problem=problem,
            cause=f"asked to retry later: {pattern(str(error.detail))}"[:CAUSE_CHARS_MAX],
            delay_seconds=error.seconds,
        )
    if isinstance(error, Throttled | EngineUnavailableError | BacklogFullError):
        return _full_or_away(error)
    if (status := _http_status(error)) is not None:
        return _rejected(str(getattr(error, "detail", "")), status)
    logger.warning(
        "%s failed in attempt %d of job %s", operation.name, context.attempt, context.job_id,
        exc_info=error,
    )  # fmt: skip
    return Ended(
        outcome=Outcome.ERROR,
        problem=Problem.of("internal-error", f"{operation.name} failed"),
        exception=exception_text(error),
        cause=cause_of(error),
        permanent=isinstance(error, operation.retry.never),
        error=error,
    )


def _full_or_away(error: Throttled | EngineUnavailableError | BacklogFullError) -> Ended:
    """Not the handler's fault: it does not count."""
    if isinstance(error, Throttled):
        problem = Problem.of("throttled", error.detail, retry_after_seconds=1)
    elif isinstance(error, BacklogFullError):
        after = error.retry_after_seconds
        problem = Problem.of("backlog-full", str(error), retry_after_seconds=after)
    else:
        problem = Problem.of("engine-unavailable", retry_after_seconds=1)
    return Ended(outcome=Outcome.THROTTLED, problem=problem)


def _rejected(detail: str, status: int) -> Ended:
    name = "not-found" if status == 404 else "rejected"
    problem = Problem.of(name, detail, status=status)
    return Ended(outcome=Outcome.REJECTED, problem=problem)


def _http_status(error: BaseException) -> int | None:
    """The status of a Starlette `HTTPException` of 4xx; no web library is imported for it."""
    module = sys.modules.get("starlette.exceptions")
    if module is None or not isinstance(error, module.HTTPException):
        return None
    status: int = error.status_code
    return status if 400 <= status <= 499 else None

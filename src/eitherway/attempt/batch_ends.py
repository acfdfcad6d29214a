"""How the items of a batch ended, from what one call of their handler returned or raised."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..context import Context
from ..ended import Ended, TimedOut, meaning
from ..errors import BacklogFullError, EngineUnavailableError
from ..execute import Executor
from ..job import Outcome
from ..operation import Operation
from ..signals import Throttled
from .batch_view import BatchContext

logger = logging.getLogger("eitherway.execute")

_NOBODYS = TimedOut, Throttled, EngineUnavailableError, BacklogFullError
"""Exceptions that say the same of every item."""


@dataclass(frozen=True, kw_only=True)
class BatchEnded:
    """How each item ended; `blamed` is whether that can be told apart.

    A handler that raised blames nobody: any of the items may have been the one.
    """

    ends: Sequence[Ended]
    blamed: bool = True

    @property
    def telling(self) -> Ended:
        """The end that says most of what is behind the handler: full, failing, or working."""
        full = [end for end in self.ends if end.outcome is Outcome.THROTTLED]
        failed = [end for end in self.ends if end.error is not None]
        return [*full, *failed, *self.ends][0]


async def run_batch(
    executor: Executor,
    operation: Operation,
    values: Sequence[Any],
    context: BatchContext,
    timeout_seconds: float,
) -> BatchEnded:
    """Run the handler once for all the items. Never raises, but for a cancellation from outside."""
    return await executor.run_handler(
        operation,
        _arguments(operation, values),
        context,
        context.units.shared,
        timeout_seconds,
        conclude=partial(_ended, executor, context),
        explain=partial(_failed, len(values)),
    )


def _failed(
    count: int, operation: Operation, context: BatchContext, error: Exception
) -> BatchEnded:
    """What an exception of the handler says of each of so many items, if that can be told."""
    if isinstance(error, _MisfitError):
        error = TypeError(str(error))
    elif count > 1 and not isinstance(error, _NOBODYS):
        logger.info("%s failed with %d items, is tried with fewer", operation.name, count)
        return BatchEnded(ends=[Ended(outcome=Outcome.ERROR, error=error)], blamed=False)
    return BatchEnded(ends=[meaning(operation, context, error)] * count)


class _MisfitError(TypeError):
    """The results are not one for each item: it is nobody's, and everybody's."""


def _ended(
    executor: Executor, context: BatchContext, operation: Operation, results: Any
) -> BatchEnded:
    count = len(context.views)
    wanted = f"{operation.name} got {count} items and must return a list of {count} results"
    if not isinstance(results, Sequence) or isinstance(results, str | bytes):
        raise _MisfitError(f"{wanted}, not {type(results).__name__}")
    if len(results) != count:
        raise _MisfitError(f"{wanted}, not of {len(results)}")
    pairs = zip(context.views, results, strict=True)
    return BatchEnded(ends=[_end(executor, operation, view, result) for view, result in pairs])


def _arguments(operation: Operation, values: Sequence[Any]) -> Mapping[str, Any]:
    (parameter,) = operation.binding.parameters
    return {parameter.name: list(values)}


def _end(executor: Executor, operation: Operation, view: Context, result: Any) -> Ended:
    """One item's end; an exception in the list means the same as if raised for that item."""
    try:
        if not isinstance(result, BaseException):
            return executor.succeeded(operation, result)
    except Exception as error:  # noqa: BLE001 - no fit for its type, or too large
        result = error
    return meaning(operation, view, result)

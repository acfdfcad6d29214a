"""How the items of a batch ended, from what one call of their handler returned or raised."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..context import Context
from ..ended import Ended, meaning, timed_out
from ..errors import BacklogFullError, EngineUnavailableError
from ..execute import Executor, TimedOut
from ..job import Outcome
from ..operation import Operation
from ..signals import Throttled
from .batch_view import BatchContext

logger = logging.getLogger("eitherway.execute")


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
    arguments = _arguments(operation, values)
    ended = partial(_ended, executor, context)
    try:
        return await executor.run_handler(
            operation, arguments, context, context.units.shared, timeout_seconds, conclude=ended
        )
    except TimedOut:
        return BatchEnded(ends=[timed_out(operation)] * len(values))
    except _MisfitError as misfit:
        ended_all = meaning(operation, context, TypeError(str(misfit)))
        return BatchEnded(ends=[ended_all] * len(values))
    except (Throttled, EngineUnavailableError, BacklogFullError) as error:
        return BatchEnded(ends=[meaning(operation, context, error)] * len(values))
    except Exception as error:  # noqa: BLE001 - whatever a handler raises has a meaning
        if len(values) == 1:
            return BatchEnded(ends=[meaning(operation, context, error)])
        logger.info("%s failed with %d items, is tried with fewer", operation.name, len(values))
        return BatchEnded(ends=[Ended(outcome=Outcome.ERROR, error=error)], blamed=False)


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

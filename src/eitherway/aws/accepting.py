"""Who accepts a queued request: API Gateway straight into SQS, or a function that stores it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..errors import ConfigurationError
from ..operation import Operation
from ..policy import Accept

RETENTION_SECONDS_MAX = 14 * 86_400
"""What SQS keeps a message for at most."""

CORS = "EITHERWAY_CORS_ORIGINS"
"""The setting by which pages of other origins may call; as a parameter of the stack, here."""

_HEADERS = frozenset(
    [
        *("accept", "age", "authorization", "connection", "cookie", "date", "dnt", "expect"),
        *("forwarded", "host", "origin", "pragma", "prefer", "priority", "range", "referer"),
        *("te", "trailer", "traceparent", "tracestate", "upgrade", "via", "warning"),
    ]
)
"""What clients and proxies send by themselves, as far as a parameter may be called so."""


class Accepting(NamedTuple):
    """Who accepts, and why."""

    by: Accept
    why: str


def accepting(operation: Operation, *, has_callers: bool, has_pages: bool) -> Accepting | None:
    """Who accepts requests to this operation; None where none of them are stored.

    `ConfigurationError` where `accept="gateway"` cannot be.
    """
    if operation.delivery == "direct" or operation.path is None:
        return None
    reasons = list(_needs_function(operation, has_callers=has_callers, has_pages=has_pages))
    if operation.accept == "gateway" and reasons:
        raise ConfigurationError(
            f'{operation.name}: accept="gateway" cannot do for {reasons[0]}: '
            'leave one of the two out, or say accept="function"'
        )
    if reasons:
        return Accepting("function", reasons[0])
    if operation.accept == "function":
        return Accepting("function", 'accept="function"')
    return Accepting("gateway", "straight into the queue")


def _needs_function(operation: Operation, *, has_callers: bool, has_pages: bool) -> Iterator[str]:
    """What only code can do before the answer."""
    if operation.delivery == "auto":
        yield 'delivery="auto", which runs the call while there is room'
    if operation.wait_seconds is not None:
        yield "wait_seconds=, which waits for the result"
    if operation.idempotency_key == "required":
        yield 'idempotency_key="required", which is looked up'
    if operation.backlog_max is not None:
        yield "backlog_max=, which counts what waits"
    for parameter in operation.binding.parameters:
        is_optional = parameter.source == "query" and not parameter.required
        if is_optional and parameter.name.lower() in _HEADERS:
            yield (
                f"the query parameter {parameter.name!r}: without it the gateway takes the header "
                "of that name"
            )
    if has_callers:
        yield "auth=, which asks who the caller is"
    if has_pages:
        yield f"{CORS}, which says whose pages may read the answer"
    if operation.deadline_seconds > RETENTION_SECONDS_MAX:
        yield "deadline_seconds= above the 14 days that SQS keeps a message"

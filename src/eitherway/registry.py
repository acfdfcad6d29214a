"""The operations of an app: found by name, by handler; and how a call becomes a new job."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from .codec import encode_mapping
from .engine.idempotency import KeyUse
from .engine.values import Message, NewJob
from .errors import ConfigurationError, InvalidInputError
from .keys import NOTHING, Counted
from .operation import Operation
from .trace import Trace


class Operations:
    """All operations of an app, each under a name of its own."""

    def __init__(self, operations: Iterable[Operation] = ()) -> None:
        self._by_name: dict[str, Operation] = {}
        self._by_handler: dict[Callable[..., Any], Operation] = {}
        for operation in operations:
            self.add(operation)

    def __iter__(self) -> Iterator[Operation]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def add(self, operation: Operation) -> None:
        """Add one; `ConfigurationError` where its name or its route is taken."""
        if operation.name in self._by_name:
            raise ConfigurationError(
                f"two operations are called {operation.name!r}: give one of them name="
            )
        for other in self._by_name.values():
            if operation.path and (other.method, other.path) == (operation.method, operation.path):
                raise ConfigurationError(
                    f"{operation.method} {operation.path} is served by {other.name!r} already"
                )
        self._by_name[operation.name] = operation
        self._by_handler.setdefault(operation.handler, operation)

    def named(self, name: str) -> Operation | None:
        """The operation of this name."""
        return self._by_name.get(name)

    def of(self, handler: Callable[..., Any]) -> Operation:
        """The operation around a handler. `ConfigurationError` when there is none."""
        try:
            return self._by_handler[handler]
        except (KeyError, TypeError):
            if inspect.iscoroutine(handler):
                handler.close()
                raise ConfigurationError(
                    f"enqueue takes the handler and its arguments, and calls it later: "
                    f"enqueue({handler.__name__}, ...), not enqueue({handler.__name__}(...))"
                ) from None
            label = getattr(handler, "__qualname__", repr(handler))
            raise ConfigurationError(
                f"{label} is no operation of this app: decorate it with @app.operation() or a route"
            ) from None


def new_job(
    operation: Operation,
    message: Message,
    *,
    job_id: str,
    now: float,
    payload_bytes_max: int,
    counted: Counted | None = None,
    trace: Trace | None = None,
    key: KeyUse | None = None,
    owner: str | None = None,
    callback: str | None = None,
) -> NewJob:
    """The job that a validated message makes, due at once. `InvalidInputError` when too large.

    What it is `counted` under is computed of the message, unless it is at hand.
    """
    size = len(message.payload) + len(message.params) + len(message.headers)
    if size > payload_bytes_max:
        raise InvalidInputError(
            f"the payload has {size} bytes, the engine takes {payload_bytes_max}"
        )
    if counted is None and operation.keys:
        counted = operation.keys.of(
            operation.binding.decode_message(message.payload, message.params)
        )
    counted = counted or NOTHING
    return NewJob(  # by position: names take three times as long
        job_id,
        operation.name,
        operation.version,
        message,
        now,
        now,
        now + operation.deadline_seconds,
        operation.retry.attempts,
        counted.keys,
        counted.lane,
        key,
        owner,
        trace.traceparent if trace else None,
        trace.tracestate if trace else None,
        callback,
    )


def message_of(operation: Operation, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Message:
    """The message of a call from Python. `InvalidInputError`."""
    payload, params = operation.binding.encode_arguments(*args, **kwargs)
    return Message(payload=payload, params=encode_mapping(params))

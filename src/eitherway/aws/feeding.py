"""How an operation's queue is fed to its worker: batches, concurrency and times, by its limits."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..engines.aws import names
from ..errors import ConfigurationError
from ..operation import Operation
from ..policy import Limit

SETTLE_SECONDS = 10
"""What a worker gets beyond its handler's time, to take the job and to settle it."""

LAMBDA_SECONDS_MAX = 900
CONCURRENCY_MIN = 2
"""The least that `MaximumConcurrency` takes."""

_CONCURRENCY_MAX = 1_000
_AT_ONCE = 1_000
"""Attempts at once, where no `in_flight` says how many."""

_BATCH_MAX = 10  # more would wait for a second before each batch
_RECEIVES_MIN, _RECEIVES_MAX = 100, 1_000
_TRIED_SECONDS = 10 * 86_400  # until a hint that nobody takes is dead: SQS keeps it for 14 days


@dataclass(frozen=True, kw_only=True)
class Queue:
    """An operation's queue, and how its worker is fed from it. Times are whole seconds."""

    name: str
    alone: str  # the name of the queue of suspects
    worker_seconds: int
    batch: int
    window_seconds: int
    concurrency: int
    visibility_seconds: int
    receives_max: int


def queue_of(operation: Operation, stack: str) -> Queue:
    """The queue of an operation. `ConfigurationError` where its attempts take too long."""
    worker_seconds = math.ceil(operation.timeout_seconds) + SETTLE_SECONDS
    if worker_seconds > LAMBDA_SECONDS_MAX:
        raise ConfigurationError(
            f"{operation.name}: Lambda runs for {LAMBDA_SECONDS_MAX} s at most, "
            f"{SETTLE_SECONDS} of them to settle, and timeout_seconds="
            f"{operation.timeout_seconds:g} asks for more: make several operations of it"
        )
    room = _room(operation)
    batch, window = _batch(operation, room)
    visibility_seconds = 6 * worker_seconds + window
    return Queue(
        name=names.queue(stack, operation.name),
        alone=names.queue(stack, operation.name, alone=True),
        worker_seconds=worker_seconds,
        batch=batch,
        window_seconds=window,
        concurrency=min(_CONCURRENCY_MAX, max(CONCURRENCY_MIN, room // batch)),
        visibility_seconds=visibility_seconds,
        receives_max=min(_RECEIVES_MAX, max(_RECEIVES_MIN, _TRIED_SECONDS // visibility_seconds)),
    )


def _room(operation: Operation) -> int:
    """How many attempts may run at once, by all of its limits."""
    rooms = [_room_in(limit, operation.timeout_seconds) for limit in operation.limits]
    return min(rooms, default=_AT_ONCE)


def _room_in(limit: Limit, timeout_seconds: float) -> int:
    if limit.in_flight is not None:
        return limit.in_flight
    if limit.per_second is None:
        return _AT_ONCE
    # Little's law: no more can run at once than start in the time that each may stay
    staying = math.ceil(limit.per_second * timeout_seconds)
    return min(_AT_ONCE, max(CONCURRENCY_MIN, staying))


def _batch(operation: Operation, room: int) -> tuple[int, int]:
    """How many messages an invocation gets, and how many seconds it waits for them."""
    most = max(1, room // CONCURRENCY_MIN)
    if operation.batch_max is None:
        return min(_BATCH_MAX, most), 0
    batch = min(operation.batch_max, most)
    waits = batch > _BATCH_MAX or (operation.batch_wait_seconds or 0) >= 1
    return batch, max(1, math.ceil(operation.batch_wait_seconds or 0)) if waits else 0

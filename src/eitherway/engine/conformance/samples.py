"""Sample jobs, demands and settlements, and short words for what the cases do with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...job import Attempt, FailureKind, JobRecord, JobState, Outcome
from ..contract import Engine
from ..values import (
    Delivery,
    Demand,
    Finish,
    Item,
    ItemCheck,
    ItemKey,
    ItemWrite,
    Message,
    NewJob,
    OperationStatistics,
    Overdue,
    Redrive,
    Settled,
    Settlement,
    Work,
)

START = 1_800_000_000.0
"""When every case begins. A whole number, so that sums of seconds are exact."""

LEASE_SECONDS = 16.0
"""How long a sample demand holds its jobs."""

WHOSE: Mapping[str, Any] = {
    "owner": "ada",
    "traceparent": f"00-{7:032x}-{7:016x}-03",
    "tracestate": "b=2,a=1",
    "callback": '{"url":"https://ada.example"}',
}
"""Of a job that is somebody's, was asked for within a trace, and is to be told of."""

COUNTER = ItemKey(table="counters", key="total")

OUTCOMES = {
    JobState.SUCCEEDED: Outcome.SUCCEEDED,
    JobState.FAILED: Outcome.ERROR,
    JobState.RETRYING: Outcome.ERROR,
    JobState.QUEUED: Outcome.INTERRUPTED,
    JobState.CANCELED: Outcome.CANCELED,
}


def job_id(number: int) -> str:
    """The id of sample job `number`: a UUID, ordered by the number."""
    return f"00000000-0000-7000-8000-{number:012d}"


def a_job(number: int = 1, **changes: Any) -> NewJob:
    """Sample job `number`, due at once, with an hour and five attempts."""
    values: dict[str, Any] = {
        "id": job_id(number),
        "operation": "place_order",
        "version": 1,
        "message": Message(payload=b'{"order":%d}' % number),
        "created": START,
        "due": changes.get("created", START),
        "deadline": changes.get("created", START) + 3600,
        "attempts_max": 5,
    }
    return NewJob(**values | changes)


def a_demand(count: int = 10, **changes: Any) -> Demand:
    """Room for `count` sample jobs."""
    values: dict[str, Any] = {
        "operation": "place_order",
        "version_max": 1,
        "count": count,
        "lease_seconds": LEASE_SECONDS,
    }
    return Demand(**values | changes)


def an_end(held: Delivery | Overdue, state: JobState, at: float, **changes: Any) -> Finish:
    """A held job's way to `state`, with its attempt to append and its counts as they are."""
    outcome = OUTCOMES.get(state, Outcome.ERROR)
    ended = Attempt(number=held.job.starts, outcome=outcome, started=at, finished=at)
    values: dict[str, Any] = {
        "lease": held.lease,
        "state": state,
        "at": at,
        "attempt": held.job.attempt,
        "starts": held.job.starts,
        "attempts": [ended] if held.job.starts else [],
        "due": at if state in {JobState.QUEUED, JobState.RETRYING} else None,
        "expires": at + 86400 if state.done else None,
    }
    return Finish(**values | changes)


def a_death(held: Delivery | Overdue, at: float = START, **changes: Any) -> Finish:
    """A held job's way to the dead letters."""
    values: dict[str, Any] = {
        "expires": None,
        "error": {"type": "/problems/internal-error", "status": 500},
        "kind": FailureKind.EXHAUSTED,
        "cause": "ValueError: order # is gone",
    }
    return an_end(held, JobState.FAILED, at, **values | changes)


def a_redrive(number: int = 1, at: float = START, **changes: Any) -> Redrive:
    """Sample job `number`, dead, sent again at once, with an hour and three attempts."""
    values: dict[str, Any] = {
        "job_id": job_id(number),
        "at": at,
        "due": at,
        "deadline": changes.get("due", at) + 3600,
        "attempts": 3,
    }
    return Redrive(**values | changes)


def put(key: ItemKey, value: bytes, *, over: int | None = None) -> Work:
    """Work that writes one item, over the version `over` of it where one is given."""
    checks = [] if over is None else [ItemCheck(key=key, version=over)]
    return Work(checks=checks, writes=[ItemWrite(key=key, value=value)])


async def take(engine: Engine, count: int = 10, **changes: Any) -> Sequence[Delivery]:
    """Receive up to `count` sample jobs."""
    return await engine.receive([a_demand(count, **changes)])


async def ready(
    engine: Engine, operations: Sequence[str], wait_seconds: float, **changes: Any
) -> Sequence[str]:
    """Which of the operations something may be received for."""
    demands = [a_demand(operation=operation, **changes) for operation in operations]
    return await engine.ready(demands, wait_seconds)


async def take_one(engine: Engine, **changes: Any) -> Delivery:
    """Receive the one sample job there is."""
    (delivery,) = await take(engine, **changes)
    return delivery


async def take_new(engine: Engine, number: int = 1, **changes: Any) -> Delivery:
    """Accept a sample job and receive it."""
    await engine.accept([a_job(number, **changes)])
    return await take_one(engine)


async def die(engine: Engine, number: int = 1, **changes: Any) -> Delivery:
    """Accept a sample job, receive it and have it die of something; as it was held."""
    operation = changes.pop("operation", "place_order")
    await engine.accept([a_job(number, operation=operation)])
    held = await take_one(engine, operation=operation)
    await settle(engine, a_death(held, **changes))
    return held


async def statistics_of(engine: Engine, operation: str = "place_order") -> OperationStatistics:
    """Where an operation's jobs are, which must be known."""
    (found,) = [each for each in await engine.statistics() if each.operation == operation]
    return found


async def settle(engine: Engine, finish: Finish | None, work: Work | None = None) -> Settled:
    """Settle one attempt."""
    (settled,) = await engine.settle([Settlement(work=work or Work(), finish=finish)])
    return settled


async def commit(engine: Engine, work: Work) -> Settled:
    """Commit work that belongs to no job, as a direct call does."""
    return await settle(engine, None, work)


async def get_one(engine: Engine, number: int = 1) -> JobRecord:
    """The record of sample job `number`, which there must be."""
    (record,) = await engine.get([job_id(number)])
    assert record is not None, f"no record of job {number}"
    return record


async def read_one(engine: Engine, key: ItemKey = COUNTER) -> Item:
    """One item."""
    (item,) = await engine.read([key])
    return item


def ids(held: Sequence[Delivery] | Sequence[Overdue]) -> list[str]:
    """The ids of held jobs."""
    return [each.job.id for each in held]


def numbered(*numbers: int) -> list[str]:
    """The ids of these sample jobs."""
    return [job_id(number) for number in numbers]

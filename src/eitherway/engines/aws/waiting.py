"""What waits to be received: which, since when, and waiting for it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from ...engine.values import Demand
from ...engine.waking import Topic
from . import parts
from .codec import waits
from .core import Core
from .rows import Row
from .store import Store, gathered
from .tables import WAITING_INDEX

_PAGES_MAX = 20
"""Of an index, in one look: what is passed over (newer versions, past deadlines) is read, too."""


class Waiting(NamedTuple):
    """A job that waits, as the index has it."""

    due: float
    id: str


async def ready(core: Core, demands: Sequence[Demand], wait_seconds: float) -> list[str]:
    """Of which operations something may be received; waits for it."""
    until = core.store.clock.monotonic() + wait_seconds
    while not core.wake.closed:
        seen = core.wake.count(Topic.WORK)
        now = core.store.now()
        open_for, elsewhere_seconds = await core.limits.able(demands)
        found, due = await _look(core, open_for, now)
        left = until - core.store.clock.monotonic()
        if found or left <= 0:
            return found
        core.hints.listen(open_for)
        due_seconds = min(due, now + elsewhere_seconds) - core.store.now()
        await core.wake.wait(Topic.WORK, seen, min(left, due_seconds))
    return []


async def _look(core: Core, demands: Sequence[Demand], now: float) -> tuple[list[str], float]:
    """Of what something may be received now, and when the next job falls due."""
    firsts = await gathered(_first(core.store, demand, now) for demand in demands)
    found: list[str] = []
    next_due = math.inf
    for demand, one in zip(demands, firsts, strict=True):
        if (one is not None and one.due <= now) or await _is_hinted(core, demand, now):
            found.append(demand.operation)
        elif one is not None:
            next_due = min(next_due, one.due)
    return found, next_due


def can_start(row: Row | None, demand: Demand, now: float) -> bool:
    """Whether a row may be handed out to whom the demand is of."""
    return (
        row is not None
        and row.waits
        and row.operation == demand.operation
        and row.version <= demand.version_max
        and row.suspect is demand.alone
        and row.due <= now < row.deadline
        and row.attempt < row.attempts_max
    )


async def _is_hinted(core: Core, demand: Demand, now: float) -> bool:
    """Whether a hint names a job that may be received: the index may be behind by a moment."""
    ids = core.hints.kept(demand)
    rows = await parts.read(core.store, ids) if ids else []
    return any(can_start(row, demand, now) for row in rows)


async def _first(store: Store, demand: Demand, now: float) -> Waiting | None:
    """The job that may be received first, now or later."""
    found = await _query(store, demand, now, 1, until=None)
    return found[0] if found else None


async def due(store: Store, demand: Demand, now: float, count: int) -> list[Waiting]:
    """The first jobs that are due, `count` at most, the first due first."""
    return await _query(store, demand, now, count, until=now)


async def oldest(store: Store, operation: str, *, alone: bool) -> float | None:
    """Since when the first job of an operation could have run, whatever its version."""
    answer = await store.call(
        store.dynamo.query,
        TableName=store.jobs,
        IndexName=WAITING_INDEX,
        KeyConditionExpression="waits = :waits",
        ExpressionAttributeValues={":waits": {"S": waits(operation, alone=alone)}},
        Limit=1,
    )
    return next((float(image["due"]["N"]) for image in answer["Items"]), None)


async def _query(
    store: Store, demand: Demand, now: float, count: int, *, until: float | None
) -> list[Waiting]:
    arguments = {
        "TableName": store.jobs,
        "IndexName": WAITING_INDEX,
        "KeyConditionExpression": "waits = :waits" + (" AND due <= :until" if until else ""),
        "FilterExpression": "#version <= :version AND deadline > :now",
        "ExpressionAttributeNames": {"#version": "version"},
        "ExpressionAttributeValues": {
            ":waits": {"S": waits(demand.operation, alone=demand.alone)},
            ":version": {"N": str(demand.version_max)},
            ":now": {"N": repr(now)},
            **({":until": {"N": repr(until)}} if until else {}),
        },
    }
    found: list[Waiting] = []
    for _ in range(_PAGES_MAX):
        answer = await store.call(store.dynamo.query, Limit=max(count, 25), **arguments)
        found += [Waiting(float(image["due"]["N"]), image["id"]["S"]) for image in answer["Items"]]
        if len(found) >= count or "LastEvaluatedKey" not in answer:
            break
        arguments["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
    return found[:count]

"""The sweep's index: when somebody should look at a row, and all whose time has come."""

from __future__ import annotations

from .codec import sweeps
from .hints import DELAY_SECONDS_MAX
from .rows import Row
from .store import Store, gathered
from .tables import SWEEP_INDEX

GRACE_SECONDS = 30.0
"""How long a job that is due may wait before its hint is sent again; doubled each time."""

GRACE_SECONDS_MAX = 3600.0


def look_at(row: Row, now: float) -> float | None:
    """When to look at a row: its lease's end, when its hint is late, or when it is to be purged."""
    if row.lease_until is not None:
        return row.lease_until
    if row.ended:
        return row.expires
    late_seconds = max(0.0, now - row.due)
    if row.due - now > DELAY_SECONDS_MAX:
        look = row.due - DELAY_SECONDS_MAX / 2  # its hint cannot be sent before
    else:
        look = max(row.due, now) + min(max(GRACE_SECONDS, late_seconds), GRACE_SECONDS_MAX)
    return min(look, row.deadline)


async def found(store: Store, what: str, count: int) -> list[str]:
    """The ids of those to be looked at first, of every shard `count` at most."""
    if count <= 0:
        return []
    shards = await gathered(_found(store, shard, count) for shard in sweeps(what))
    return [id_ for _, id_ in sorted(pair for shard in shards for pair in shard)]


async def _found(store: Store, shard: str, count: int) -> list[tuple[float, str]]:
    answer = await store.call(
        store.dynamo.query,
        TableName=store.jobs,
        IndexName=SWEEP_INDEX,
        KeyConditionExpression="sweep = :shard AND look_at <= :now",
        ExpressionAttributeValues={":shard": {"S": shard}, ":now": {"N": repr(store.now())}},
        Limit=count,
    )
    return [(float(image["look_at"]["N"]), image["id"]["S"]) for image in answer["Items"]]

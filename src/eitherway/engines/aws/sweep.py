"""What the sweep's index shows: everything whose `look_at` has come."""

from __future__ import annotations

from .codec import sweeps
from .store import Store, gathered
from .tables import SWEEP_INDEX


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

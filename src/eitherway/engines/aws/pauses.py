"""Which operations are paused: one set, read by every process once a second."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .codec import Image
from .store import Store

KEY: dict[str, Any] = {"place": {"S": "#paused"}, "key": {"S": "operations"}}


async def pause(store: Store, operations: Sequence[str], *, paused: bool) -> None:
    """Add operations to the set, or take them out."""
    if not operations:
        return
    await store.call(
        store.dynamo.update_item,
        TableName=store.items,
        Key=KEY,
        UpdateExpression=f"{'ADD' if paused else 'DELETE'} operations :operations",
        ExpressionAttributeValues={":operations": {"SS": sorted(set(operations))}},
    )


async def read(store: Store) -> frozenset[str]:
    """Those that are paused now."""
    (image,) = await store.get(store.items, [KEY])
    return paused_in(image)


def paused_in(image: Image | None) -> frozenset[str]:
    """Those that the item names."""
    if image is None or "operations" not in image:
        return frozenset()
    return frozenset(image["operations"]["SS"])

"""Table items: reads and queries, and what a settlement checks and writes of them.

An item is under a hash of its table and partition. One that was deleted stays without a value, so
that none of its versions ever comes back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from ...engine.item_query import FoundItem, ItemPage, ItemQuery
from ...engine.values import Item, ItemCheck, ItemKey, ItemWrite, Work
from .codec import Image
from .store import Store
from .writes import MARK, Write

_NOTHING = Item(version=0, value=None)
_VALUE = {"#value": "value"}  # a word of DynamoDB's own


async def read(store: Store, keys: Sequence[ItemKey]) -> list[Item]:
    """The items as last committed."""
    images = await store.get(store.items, [_key(key) for key in keys])
    return [_item(image) for image in images]


async def query(store: Store, wanted: ItemQuery) -> ItemPage:
    """The next items in the order of their keys."""
    place = _place(wanted.table, wanted.partition)
    prefix, after = wanted.prefix, wanted.after or None
    condition, values = "place = :place", {":place": {"S": place}}
    start: dict[str, Any] = {}
    if prefix:
        condition += " AND begins_with(#key, :prefix)"
        values[":prefix"] = {"S": prefix}
    if after is not None and after.startswith(prefix):
        start = {"ExclusiveStartKey": {"place": {"S": place}, "key": {"S": after}}}
    elif after is not None and after.encode() > prefix.encode():
        return ItemPage(items=(), after=None)
    answer = await store.call(
        store.dynamo.query,
        TableName=store.items,
        KeyConditionExpression=condition,
        FilterExpression="attribute_exists(#value)",
        ExpressionAttributeNames={**_VALUE, **({"#key": "key"} if prefix else {})},
        ExpressionAttributeValues=values,
        ConsistentRead=True,
        Limit=max(1, wanted.count),
        **start,
    )
    found = [
        FoundItem(
            key=ItemKey(table=wanted.table, partition=wanted.partition, key=image["key"]["S"]),
            item=_item(image),
        )
        for image in answer["Items"]
    ]
    last = answer.get("LastEvaluatedKey")
    return ItemPage(items=found, after=None if last is None else last["key"]["S"])


def writes(store: Store, work: Work) -> list[Write]:
    """What a settlement has to check and to write: one entry for each item.

    Each says in the item who wrote it last, as two may write the same over the same version.
    """
    checks = {check.key: check for check in work.checks}
    changes = {write.key: write for write in work.writes}
    return [
        *(_change(store, change, checks.get(key)) for key, change in changes.items()),
        *(_check(store, check) for key, check in checks.items() if key not in changes),
    ]


async def conflicts(store: Store, checks: Sequence[ItemCheck]) -> list[ItemKey]:
    """The items that have another version than their check says."""
    found = await read(store, [check.key for check in checks])
    return [
        check.key
        for check, item in zip(checks, found, strict=True)
        if item.version != check.version
    ]


def _change(store: Store, change: ItemWrite, check: ItemCheck | None) -> Write:
    condition, values = _condition(check)
    mark = store.mark()
    values |= {":one": {"N": "1"}, ":mark": {"S": mark}}
    update = f"ADD version :one SET {MARK} = :mark REMOVE #value"
    if change.value is not None:
        update = f"ADD version :one SET {MARK} = :mark, #value = :value"
        values[":value"] = {"B": change.value}
    return Write(
        action="Update",
        table=store.items,
        image=_key(change.key),
        update=update,
        mark=mark,
        condition=condition,
        names=_VALUE,
        values=values,
    )


def _check(store: Store, check: ItemCheck) -> Write:
    condition, values = _condition(check)
    return Write(
        action="ConditionCheck",
        table=store.items,
        image=_key(check.key),
        condition=condition,
        names=_VALUE,
        values=values,
    )


def _condition(check: ItemCheck | None) -> tuple[str, dict[str, Any]]:
    if check is None:
        return "", {}
    if check.version == 0:
        return "attribute_not_exists(#value)", {}
    values = {":version": {"N": str(check.version)}}
    return "version = :version AND attribute_exists(#value)", values


def _place(table: str, partition: str) -> str:
    return f"{quote(table, safe='')}#{partition}"  # no table's name has a # then


def _key(key: ItemKey) -> dict[str, Any]:
    return {"place": {"S": _place(key.table, key.partition)}, "key": {"S": key.key}}


def _item(image: Image | None) -> Item:
    value: Mapping[str, Any] | None = None if image is None else image.get("value")
    if image is None or value is None:
        return _NOTHING
    return Item(version=int(image["version"]["N"]), value=bytes(value["B"]))

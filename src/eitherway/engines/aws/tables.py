"""The tables: keys, indexes, expiry and stream, as CloudFormation spells them.

Pure, for the builder of stacks; the engine makes the same ones for tests. What the attributes
mean: `rows.py`.
"""

from __future__ import annotations

from typing import Any

from . import names

WAITING_INDEX = "waiting"
"""Jobs that wait, by `waits` (the operation, and whether for somebody alone) and `due`. Sparse."""

SWEEP_INDEX = "sweep"
"""What somebody should look at, by `sweep` (what for, and a shard) and `look_at`. Sparse."""

LISTED_INDEX = "listed"
"""All jobs of an operation, the oldest first, by `operation` and `listed`."""

DEAD_INDEX = "dead"
"""Dead letters, by `dead` (the operation) and `listed`. Sparse."""

SWEEP_SHARDS = 4
"""An index takes 1,000 writes a second under one hash."""

EXPIRY = "ttl"
"""DynamoDB deletes what is past it, in whole seconds; the backstop of `purge`."""

_TYPES = {"due": "N", "look_at": "N"}


def _table(
    name: str, keys: tuple[str, ...], indexes: dict[str, tuple[str, str, list[str]]], **more: Any
) -> dict[str, Any]:
    used = {
        *keys,
        *(key for hash_key, range_key, _ in indexes.values() for key in (hash_key, range_key)),
    }
    properties: dict[str, Any] = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": key, "AttributeType": _TYPES.get(key, "S")} for key in sorted(used)
        ],
        "KeySchema": _schema(*keys),
        **more,
    }
    if indexes:
        properties["GlobalSecondaryIndexes"] = [
            {
                "IndexName": index,
                "KeySchema": _schema(hash_key, range_key),
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": others}
                if others
                else {"ProjectionType": "KEYS_ONLY"},
            }
            for index, (hash_key, range_key, others) in indexes.items()
        ]
    return properties


def _schema(*keys: str) -> list[dict[str, str]]:
    kinds = ("HASH", "RANGE")
    return [
        {"AttributeName": key, "KeyType": kind}
        for key, kind in zip(keys, kinds[: len(keys)], strict=True)
    ]


def _expiring(attribute: str) -> dict[str, Any]:
    return {"TimeToLiveSpecification": {"AttributeName": attribute, "Enabled": True}}


def jobs(prefix: str) -> dict[str, Any]:
    """The properties of the table of records."""
    return _table(
        names.jobs_table(prefix),
        ("id",),
        {
            WAITING_INDEX: ("waits", "due", ["version", "deadline"]),
            SWEEP_INDEX: ("sweep", "look_at", []),
            LISTED_INDEX: ("operation", "listed", []),
            DEAD_INDEX: ("dead", "listed", ["cause"]),
        },
        StreamSpecification={"StreamViewType": "NEW_IMAGE"},  # `told` says what is news
        **_expiring(EXPIRY),
    )


def items(prefix: str) -> dict[str, Any]:
    """The properties of the table of items."""
    return _table(names.items_table(prefix), ("place", "key"), {})


def channels(prefix: str) -> dict[str, Any]:
    """The properties of the table of WebSocket connections."""
    return _table(
        names.channels_table(prefix), ("channel", "connection"), {}, **_expiring("expires")
    )

"""What DynamoDB charges for requests, reckoned as its developer guide says, while they are made.

Writes: one unit for each 1 KB, two in a transaction; an index, one for each entry that is put or
taken out. Reads: one unit for each 4 KB.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any
from unittest.mock import patch

from botocore.client import BaseClient

from eitherway.engines.aws import tables

Image = dict[str, Any]


class Meter:
    """Counts the units of the jobs and of the items, and messages, of one stack."""

    def __init__(self, stack: str) -> None:
        self._tables = {
            made["TableName"]: made for made in (tables.jobs(stack), tables.items(stack))
        }
        self._names = dict(zip(self._tables, ("jobs", "items"), strict=True))
        self._images: dict[Any, Image] = {}
        self._counting = Lock()
        self.units: Counter[str] = Counter()

    @contextmanager
    def running(self) -> Iterator[Counter[str]]:
        """Count what is asked for, from nothing, while the block runs."""
        call = BaseClient._make_api_call

        def metered(client: BaseClient, operation: str, given: dict[str, Any]) -> Any:
            answered = call(client, operation, given)
            with self._counting:  # requests are made on several threads
                self._count(operation, given)
            return answered

        self.units.clear()
        with patch.object(BaseClient, "_make_api_call", metered):
            yield self.units

    def _count(self, operation: str, given: dict[str, Any]) -> None:
        if operation in ("PutItem", "UpdateItem", "DeleteItem"):
            self._write(operation.removesuffix("Item"), given, times=1)
        elif operation == "TransactWriteItems":
            for member in given["TransactItems"]:
                ((action, write),) = member.items()
                self._write(action, write, times=2)
        elif operation == "BatchGetItem":
            for asked in given["RequestItems"].values():
                self.units["reads"] += len(asked["Keys"])
        elif operation == "GetItem":
            self.units["reads"] += 1
        elif operation == "SendMessageBatch":
            self.units["requests to SQS"] += 1
        elif operation == "Query":
            self.units["reads"] += 1
        elif "Item" in operation:
            raise AssertionError(f"{operation} is not reckoned with")

    def _write(self, action: str, given: dict[str, Any], times: int) -> None:
        table = self._tables[given["TableName"]]
        keys = [one["AttributeName"] for one in table["KeySchema"]]
        image = given.get("Item") or given["Key"]
        place = (given["TableName"], *(str(image[key]) for key in keys))
        before = self._images.pop(place, None)
        if action == "Put":
            self._images[place] = image
        written = times * math.ceil(max(map(size, (before or image, image))) / 1024)
        after = self._images.get(place)
        for index in table.get("GlobalSecondaryIndexes", []):
            written += entries(index, before, after)
        self.units[f"writes of {self._names[given['TableName']]}"] += written


def entries(index: dict[str, Any], before: Image | None, after: Image | None) -> int:
    """How many entries of an index a write moves."""
    keys = [one["AttributeName"] for one in index["KeySchema"]]
    others = index["Projection"].get("NonKeyAttributes", [])

    def entry(image: Image | None, names: list[str]) -> list[Any] | None:
        if image is None or not all(key in image for key in keys):
            return None
        return [image.get(name) for name in names]

    old, new = entry(before, keys), entry(after, keys)
    if old != new:
        return (old is not None) + (new is not None)
    return int(entry(before, others) != entry(after, others))


def size(image: Image) -> int:
    """About as many bytes as DynamoDB counts: of names and values."""
    return sum(len(name) + len(str(value[kind])) for name, value in image.items() for kind in value)

"""How many jobs of an operation are in which state: sums of what every process has counted.

Each is an item for each operation and shard, added to without a condition, so that nobody waits for
anybody. A process that is killed between a write and its count leaves the sums wrong by that much;
`mending` looks what really waits and is dead, and puts that right.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from zlib import crc32

from ...errors import EitherwayError
from ...ids import Randomness
from ...job import WAITING
from .codec import Image
from .rows import Row
from .store import Store, gathered

logger = logging.getLogger("eitherway.engine")

SHARDS = 4
"""DynamoDB takes 1,000 writes a second under one hash."""

DEAD = "dead"
ENDED = "ended"

Sums = Mapping[str, int]
"""By the states' names, and by `DEAD` and `ENDED`."""


class Counters:
    """Counts this process's transitions, and stores the sums."""

    def __init__(self, store: Store, randomness: Randomness) -> None:
        self._store = store
        self._shard = crc32(randomness.name().encode()) % SHARDS
        self._counted: dict[str, Counter[str]] = {}
        self._storing = asyncio.Lock()

    def count(self, before: Row | None, after: Row | None) -> None:
        """A row was this and is that now; None: it was not there, or is no more."""
        row = after or before
        if row is None:
            return
        counted = self._counted.setdefault(row.operation, Counter())
        counted.subtract(_places(before))
        counted.update(_places(after))
        if after is not None and after.ended and not (before is not None and before.ended):
            counted[ENDED] += 1

    def correct(self, operation: str, name: str, by: int) -> None:
        """So many more are in a state, or dead, than were counted."""
        if by:
            self._counted.setdefault(operation, Counter())[name] += by

    async def flush(self) -> None:
        """Store what was counted. Called after every write, before its caller is told.

        Those who come while others store go together. What cannot be stored goes with the next.
        """
        if not self._counted:
            return
        async with self._storing:
            counted, self._counted = self._counted, {}
            await gathered(self._add(operation, each) for operation, each in counted.items())

    async def sums(self, operations: Sequence[str]) -> list[Sums]:
        """What is counted of these operations by everybody, as it is now."""
        unique = list(dict.fromkeys(operations))
        places = [(operation, shard) for operation in unique for shard in range(SHARDS)]
        keys = [_key(operation, shard) for operation, shard in places]
        images = await self._store.get(self._store.items, keys) if keys else []
        found: dict[str, Counter[str]] = {operation: Counter() for operation in unique}
        for (operation, _), image in zip(places, images, strict=True):
            _sum_up(found[operation], image)
        return [found[operation] for operation in operations]

    async def all(self) -> dict[str, Sums]:
        """The same of every operation that was ever counted."""
        found: dict[str, Counter[str]] = {}
        for images in await gathered(self._store.partition(_place(n)) for n in range(SHARDS)):
            for image in images:
                _sum_up(found.setdefault(image["key"]["S"], Counter()), image)
        return dict(found)

    async def _add(self, operation: str, counted: Counter[str]) -> None:
        moved = {name: by for name, by in counted.items() if by}
        if not moved:
            return
        names = {f"#{name}": name for name in moved}
        values = {f":{name}": {"N": str(by)} for name, by in moved.items()}
        try:
            await self._store.call(
                self._store.dynamo.update_item,
                TableName=self._store.items,
                Key=_key(operation, self._shard),
                UpdateExpression="ADD " + ", ".join(f"#{name} :{name}" for name in moved),
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=values,
            )
        except EitherwayError as error:
            logger.warning("%s: counts are late: %s", operation, error)
            self._counted.setdefault(operation, Counter()).update(moved)


def waiting_of(sums: Sums) -> int:
    """How many wait."""
    return max(0, sum(sums.get(state.value, 0) for state in WAITING))


def _places(row: Row | None) -> dict[str, int]:
    if row is None:
        return {}
    return {row.state.value: 1, **({DEAD: 1} if row.dead else {})}


def _sum_up(sums: Counter[str], image: Image | None) -> None:
    for name, value in ({} if image is None else image).items():
        if name not in ("place", "key"):
            sums[name] += int(value["N"])


def _place(shard: int) -> str:
    return f"#counts{shard}"


def _key(operation: str, shard: int) -> dict[str, Any]:
    return {"place": {"S": _place(shard)}, "key": {"S": operation}}

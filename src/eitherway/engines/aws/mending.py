"""Putting counts right: what a process that was killed between a write and its count left out.

The indexes say what waits and what is dead. They may be behind, and others write meanwhile: what
counts and index differ by in several looks, one after the other, is taken for wrong, no more.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import Any

from ...job import JobState
from .codec import waits
from .counters import DEAD, Counters, Sums, waiting_of
from .store import Store, gathered
from .tables import DEAD_INDEX, WAITING_INDEX

LOOKS = 3
EVERY_SECONDS = 60.0

_COUNTED_MAX = 10_000
"""What is more costs more to count than it matters."""


class Mending:
    """Looks once a minute, where somebody purges."""

    def __init__(self, store: Store, counters: Counters) -> None:
        self._store = store
        self._counters = counters
        self._looked_at = -math.inf
        self._seen: dict[tuple[str, str], deque[int]] = {}

    async def look(self) -> None:
        """Compare, and correct what was wrong in each of the last looks."""
        now = self._store.now()
        if 0 <= now - self._looked_at < EVERY_SECONDS:
            return
        self._looked_at = now
        sums = await self._counters.all()
        await gathered(self._look(operation, each) for operation, each in sums.items())
        await self._counters.flush()

    async def _look(self, operation: str, sums: Sums) -> None:
        waiting = waiting_of(sums)
        if waiting <= _COUNTED_MAX:
            shards = [waits(operation, alone=alone) for alone in (False, True)]
            there = await self._count(WAITING_INDEX, "waits", shards)
            by = self._agreed((operation, "waiting"), there - waiting)
            self._counters.correct(operation, JobState.QUEUED, by)
        dead = sums.get(DEAD, 0)
        if dead <= _COUNTED_MAX:
            there = await self._count(DEAD_INDEX, "dead", [operation])
            by = self._agreed((operation, "dead"), there - dead)
            self._counters.correct(operation, JobState.FAILED, by)
            self._counters.correct(operation, DEAD, by)

    def _agreed(self, what: tuple[str, str], by: int) -> int:
        seen = self._seen.setdefault(what, deque(maxlen=LOOKS))
        seen.append(by)
        if len(seen) < LOOKS:
            return 0
        agreed = min(seen) if min(seen) > 0 else min(0, max(seen))
        if agreed:
            seen.clear()
        return agreed

    async def _count(self, index: str, name: str, values: Sequence[str]) -> int:
        return sum(await gathered(self._count_one(index, name, value) for value in values))

    async def _count_one(self, index: str, name: str, value: str) -> int:
        arguments: dict[str, Any] = {
            "TableName": self._store.jobs,
            "IndexName": index,
            "KeyConditionExpression": f"{name} = :value",
            "ExpressionAttributeValues": {":value": {"S": value}},
            "Select": "COUNT",
        }
        counted = 0
        while True:
            answer = await self._store.call(self._store.dynamo.query, **arguments)
            counted += int(answer["Count"])
            if "LastEvaluatedKey" not in answer:
                return counted
            arguments["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

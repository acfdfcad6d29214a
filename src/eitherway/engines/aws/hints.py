"""Hints: messages that say "look at this job". They carry no truth, and may be lost or doubled."""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from ...clock import SystemClock
from ...engine.values import Demand
from ...engine.waking import Wake
from ...errors import EitherwayError
from .polls import Polls
from .queues import Queues
from .rows import Row
from .store import Store, gathered

logger = logging.getLogger("eitherway.engine")

DELAY_SECONDS_MAX = 900.0
"""What SQS can hold a message back."""

_NEWER_SECONDS = 60
"""How long a hint is left to others that may know its job's version."""


class Hints:
    """Sends hints, and keeps those that were received until their jobs are looked at."""

    def __init__(self, store: Store, wake: Wake, *, create: bool) -> None:
        self._store = store
        self._queues = Queues(store, create=create)
        self._polls = Polls(store, self._queues, wake)
        # A hint that is early is a hint in vain: held back, where SQS has the time that we have.
        self._real_time = isinstance(store.clock, SystemClock)

    async def send(self, rows: Iterable[Row]) -> None:
        """Send a hint of each that can be told by now. What cannot be sent, the sweep will."""
        queues: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in rows:
            delay = row.due - self._store.now()
            if delay <= 0 or (self._real_time and delay <= DELAY_SECONDS_MAX):
                entry = _entry(row, max(0, int(delay + 0.999)))
                queues[self._queues.name(row.operation, alone=row.suspect)].append(entry)
        sends = [self._queues.send(queue, entries) for queue, entries in queues.items()]
        results = await asyncio.gather(*sends, return_exceptions=True)
        for result in results:
            if isinstance(result, EitherwayError) or (isinstance(result, int) and result):
                logger.warning("hints were not sent, the sweep will send them: %s", result)
            elif isinstance(result, BaseException):
                raise result

    def listen(self, demands: Iterable[Demand]) -> None:
        """Have the queues of these demands polled for a while; what comes wakes who waits."""
        for demand in demands:
            self._polls.start(self._queues.name(demand.operation, alone=demand.alone))

    def kept(self, demand: Demand) -> list[str]:
        """The jobs that hints of a demand name which were received, and not taken yet."""
        return self._polls.kept(self._queues.name(demand.operation, alone=demand.alone))

    async def take(self, demand: Demand, count: int) -> dict[str, str]:
        """Received hints of a demand, by their jobs' ids; asked for without waiting, if too few.

        The caller has them until it says what becomes of them: `done`, `keep` or `leave`.
        """
        queue = self._queues.name(demand.operation, alone=demand.alone)
        found = self._polls.take(queue)
        if len(found) < count:
            found = {**found, **await self._polls.ask(queue)}
        return found

    async def done(self, demand: Demand, hints: Mapping[str, str]) -> None:
        """These have done their work: they are deleted."""
        queue = self._queues.name(demand.operation, alone=demand.alone)
        await _forgiving(self._queues.delete(queue, list(hints.values())))

    def keep(self, demand: Demand, hints: Mapping[str, str]) -> None:
        """These are as good as before, for the next one who asks."""
        self._polls.keep(self._queues.name(demand.operation, alone=demand.alone), hints)

    async def leave(self, demand: Demand, hints: Mapping[str, str]) -> None:
        """These are for others, or for later."""
        queue = self._queues.name(demand.operation, alone=demand.alone)
        await _forgiving(self._queues.release(queue, list(hints.values()), _NEWER_SECONDS))

    async def put_off(self, queue: str, receipts: Mapping[str, float]) -> None:
        """Messages that a function was given are to be seen again after so many seconds."""
        by_seconds: dict[int, list[str]] = defaultdict(list)
        for receipt, seconds in receipts.items():
            by_seconds[max(0, math.ceil(seconds))].append(receipt)
        await gathered(
            _forgiving(self._queues.release(queue, some, seconds))
            for seconds, some in by_seconds.items()
        )

    async def close(self) -> None:
        """Give back what was received and not looked at."""
        kept = self._polls.close()
        await gathered(
            _forgiving(self._queues.release(queue, list(hints.values()), 0))
            for queue, hints in kept.items()
            if hints
        )


async def _forgiving(call: Any) -> None:
    """What becomes of a message is no matter of truth: it comes back, and is looked at again."""
    try:
        await call
    except EitherwayError as error:
        logger.warning("hints come again: %s", error)


def _entry(row: Row, delay_seconds: int) -> dict[str, Any]:
    return {
        "MessageBody": json.dumps({"job": row.id}),
        "DelaySeconds": delay_seconds,
        "MessageAttributes": {
            "job": {"DataType": "String", "StringValue": row.id},
            "operation": {"DataType": "String", "StringValue": row.operation},
            "version": {"DataType": "Number", "StringValue": str(row.version)},
        },
    }

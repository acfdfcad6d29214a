"""What the parts of an open engine share."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...engine.waking import Topic, Wake
from ...ids import Randomness
from .counters import Counters
from .hints import Hints
from .limits import Limits
from .mending import Mending
from .rows import Row
from .store import Store, gathered
from .stream import Stream


@dataclass(kw_only=True, slots=True)
class Core:
    """An open engine's parts."""

    store: Store
    wake: Wake
    hints: Hints
    limits: Limits
    counters: Counters
    mending: Mending
    log: Stream
    randomness: Randomness
    held: dict[str, Row] = field(default_factory=dict)  # as this process wrote them last

    async def told(self, *changes: tuple[Row | None, Row | None]) -> None:
        """Say of rows that are stored what they were before and what they are now.

        Hints of those that wait are sent, their states counted, and whoever waits is woken. Nothing
        of it is lost for good if the process dies before: the sweep sends hints again.
        """
        for before, after in changes:
            self.counters.count(before, after)
        waiting = [after for before, after in changes if after is not None and after.waits]
        topics = {Topic.EVENTS}
        if waiting:
            topics.add(Topic.WORK)
        self.wake.signal(topics)
        await gathered([self.hints.send(waiting), self.counters.flush()])

    async def close(self) -> None:
        """Let everybody go who waits, and give back what is held of queues."""
        self.wake.close()
        await self.hints.close()
        await self.limits.close()
        await self.counters.flush()
        self.store.close()

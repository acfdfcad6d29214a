"""The engine's face; the work is in the modules beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import ClassVar

from ...clock import Clock
from ...engine.cancellation import Cancellation
from ...engine.capabilities import Capabilities
from ...engine.contract import Engine, Step
from ...engine.event_query import EventPage, WhichJobs
from ...engine.idempotency import KeyHold, KeyRecord, KeyWish
from ...engine.item_query import ItemPage, ItemQuery
from ...engine.limits import Lesson, LimitUse, Share, ShareWish
from ...engine.promotion import Promotion
from ...engine.tombstone import Tombstone
from ...engine.values import (
    Delivery,
    Demand,
    Extension,
    Item,
    ItemKey,
    Message,
    NewJob,
    Overdue,
    Settled,
    Settlement,
)
from ...errors import EngineError
from ...ids import Randomness
from ...job import JobRecord
from . import (
    accept,
    cancel,
    events,
    extend,
    items,
    overdue,
    purge,
    reads,
    receive,
    settle,
    taking,
    waiting,
)
from . import keys as idempotency
from .able import CAPABILITIES, STEPS
from .channels import Channels
from .core import Core
from .opening import open_core
from .operated import OperatedAws
from .url import Place, place_of


class AwsEngine(OperatedAws, Engine):
    """Keeps records and items in DynamoDB, and tells workers of jobs through SQS."""

    STEPS: ClassVar[Sequence[str]] = STEPS

    def __init__(
        self,
        place: Place,
        *,
        clock: Clock,
        randomness: Randomness,
        at_step: Step = lambda _: None,
    ) -> None:
        self._place = place
        self._clock = clock
        self._randomness = randomness
        self._at_step = at_step
        self._changing = asyncio.Lock()  # held while it opens or closes
        self._core: Core | None = None

    @classmethod
    def from_url(
        cls, url: str, *, clock: Clock, randomness: Randomness, at_step: Step = lambda _: None
    ) -> AwsEngine:
        """The engine of the stack at `aws://REGION[/PREFIX]`."""
        return cls(place_of(url), clock=clock, randomness=randomness, at_step=at_step)

    @property
    def capabilities(self) -> Capabilities:
        """What DynamoDB and SQS allow."""
        return CAPABILITIES

    async def open(self, *, create: bool = True) -> None:
        """See that the tables are there; made only where that is not AWS itself."""
        async with self._changing:
            if self._core is None:
                self._core = await open_core(
                    self._place, self._clock, self._randomness, self._at_step, create=create
                )

    async def close(self) -> None:
        """Give back what was received, and let go of the clients."""
        async with self._changing:
            core, self._core = self._core, None
            if core is not None:
                await core.close()

    async def accept(self, jobs: Sequence[NewJob]) -> Sequence[bool]:
        """Store records, then send their hints."""
        return await accept.accept(self._opened(), jobs)

    async def claim(self, wishes: Sequence[KeyWish]) -> Sequence[KeyHold | KeyRecord]:
        """Hold keys, each by a conditional write."""
        return await idempotency.claim(self._opened(), wishes)

    async def keys(self, keys: Sequence[str]) -> Sequence[KeyRecord | None]:
        """Look keys up."""
        return await idempotency.look_up(self._opened(), keys)

    async def ready(self, demands: Sequence[Demand], wait_seconds: float) -> Sequence[str]:
        """Ask the index; then wait for a hint, or until a job falls due."""
        return await waiting.ready(self._opened(), demands, wait_seconds)

    async def receive(self, demands: Sequence[Demand]) -> Sequence[Delivery]:
        """Claim what hints and the index name, each by a conditional write."""
        return await receive.receive(self._opened(), demands)

    async def take(
        self, hints: Sequence[taking.Hint], demands: Sequence[Demand]
    ) -> Sequence[taking.Taken]:
        """Claim the very jobs that these hints name, under the demand of their operation."""
        return await taking.take(self._opened(), hints, demands)

    async def put_off(self, queue: str, receipts: Mapping[str, float]) -> None:
        """Have SQS show messages of a queue again, each after its seconds; by their receipts."""
        await self._opened().hints.put_off(queue, receipts)

    async def revive(self, hints: Sequence[taking.Hint]) -> tuple[int, int]:
        """Store what dead hints bring that nobody stored, and send again what waits: how many."""
        return await taking.revive(self._opened(), hints)

    def channels(self, url: str | None) -> Channels:
        """The WebSocket connections of the stack; `url` is where they are posted to."""
        return Channels(self._opened().store, url)

    async def rest(self) -> None:
        """Give back what is not used of limits: this process may be frozen, as functions are."""
        await self._opened().limits.rest()

    async def promote(self, promotions: Sequence[Promotion]) -> Sequence[Delivery | None]:  # noqa: ARG002
        """Refused: a function does not outlive its answer."""
        raise EngineError("the engine on AWS cannot make a running call a job")

    async def extend(self, extensions: Sequence[Extension]) -> Sequence[bool]:
        """Hold leases longer, each by a conditional write."""
        return await extend.extend(self._opened(), extensions)

    async def settle(self, settlements: Sequence[Settlement]) -> Sequence[Settled]:
        """Commit attempts, each as one transaction."""
        return await settle.settle(self._opened(), settlements)

    async def overdue(self, count: int, lease_seconds: float) -> Sequence[Overdue]:
        """Take over what the sweep's index shows, and send hints that are late."""
        return await overdue.overdue(self._opened(), count, lease_seconds)

    async def cancel(self, cancellations: Sequence[Cancellation]) -> Sequence[bool]:
        """End jobs from outside, each by a conditional write."""
        return await cancel.cancel(self._opened(), cancellations)

    async def hide(self, ids: Sequence[str]) -> Sequence[bool]:
        """Mark jobs that have ended, each by a conditional write."""
        return await cancel.hide(self._opened(), ids)

    async def share(self, wishes: Sequence[ShareWish]) -> Sequence[Share]:
        """Hold slots and draw starts."""
        return await self._opened().limits.share(wishes)

    async def limits(self, names: Sequence[str] | None = None) -> Sequence[LimitUse]:
        """What is in use."""
        return await self._opened().limits.uses(names)

    async def learn(self, lessons: Sequence[Lesson]) -> Sequence[bool]:
        """Store what was learnt."""
        return await self._opened().limits.learn(lessons)

    async def purge(self, count: int, *, tombstone_seconds: float = 0.0) -> int:
        """Delete what the sweep's index shows, sooner than DynamoDB would by itself."""
        return await purge.purge(self._opened(), count, tombstone_seconds)

    async def gone(self, ids: Sequence[str]) -> Sequence[Tombstone | None]:
        """Look tombstones up."""
        return await purge.gone(self._opened(), ids)

    async def get(self, ids: Sequence[str]) -> Sequence[JobRecord | None]:
        """Look records up, as they are now."""
        return await reads.records(self._opened(), ids)

    async def read(self, keys: Sequence[ItemKey]) -> Sequence[Item]:
        """Look items up, as they are now."""
        return await items.read(self._opened().store, keys)

    async def query(self, wanted: ItemQuery) -> ItemPage:
        """Walk along a partition's keys."""
        return await items.query(self._opened().store, wanted)

    async def messages(self, ids: Sequence[str]) -> Sequence[Message | None]:
        """Look messages up."""
        return await reads.messages(self._opened(), ids)

    async def events(
        self, after: str | None, wait_seconds: float, *, jobs: WhichJobs | None = None
    ) -> EventPage:
        """Read on in the stream of the table of jobs."""
        return await events.events(self._opened(), after, wait_seconds, jobs)

    def _opened(self) -> Core:
        if self._core is None:
            raise EngineError("the engine is not open")
        return self._core

"""The embedded engine's face; the work is in the modules beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from ...clock import Clock, SystemClock
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
from ...engine.waking import Topic
from ...errors import ConfigurationError, EngineError
from ...ids import Randomness
from ...job import JobRecord
from . import events, idempotency, items, jobs, limits, purge
from .files import path_of
from .handlers import HANDLERS, STEPS, capabilities_of
from .holders import Holders
from .operated import OperatedSqlite
from .reader import Reader
from .sharing import share
from .store import FileStore, MemoryStore
from .waiting import look
from .wake import FileWake
from .writer import Writer


class SqliteEngine(OperatedSqlite, Engine):
    """Keeps everything in one SQLite file, or in memory when there is no path."""

    STEPS: ClassVar[Sequence[str]] = STEPS

    def __init__(
        self,
        path: Path | None = None,
        *,
        clock: Clock | None = None,
        randomness: Randomness | None = None,  # noqa: ARG002 - of the contract; nothing to draw here
        at_step: Step = lambda _: None,
    ) -> None:
        self._path = path
        self._directory = None if path is None else Path(f"{path}-wake")
        self._clock = clock or SystemClock()
        self._at_step = at_step
        self._capabilities = capabilities_of(path)
        self._changing = asyncio.Lock()  # held while it opens or closes
        self._writer: Writer | None = None
        self._reader: Reader | None = None
        self._wake: FileWake | None = None
        self._holders = Holders(self._directory, "holder")  # of leases
        self._promoters = Holders(self._directory, "promoter")  # the same, but no worker
        self._sharers = Holders(self._directory, "sharer")

    @classmethod
    def from_url(
        cls, url: str, *, clock: Clock, randomness: Randomness, at_step: Step = lambda _: None
    ) -> SqliteEngine:
        """The engine of a file or, with `sqlite://:memory:`, of none."""
        return cls(path_of(url), clock=clock, randomness=randomness, at_step=at_step)

    @property
    def capabilities(self) -> Capabilities:
        """SQLite's limits, or rather those that every engine can hold."""
        return self._capabilities

    async def open(self, *, create: bool = True) -> None:
        """Open the file, made and brought up to date as needed."""
        async with self._changing:
            if self._writer is not None:
                return
            if not create:
                self._check_there()
            store = MemoryStore() if self._path is None else FileStore(self._path)
            wake = FileWake(self._directory, self._clock)
            writer = Writer(
                store,
                HANDLERS,
                stepped={step.partition(".")[0] for step in self.STEPS},
                clock=self._clock,
                wake=wake,
                at_step=self._at_step,
                may_block=self._may_block,
            )
            try:
                await writer.open()
                self._reader = Reader(store)
            except BaseException:
                await writer.close()
                raise
            self._writer, self._wake = writer, wake

    def _check_there(self) -> None:
        if self._path is None:
            raise ConfigurationError("what is in memory is seen by its own process alone")
        if not self._path.exists():
            raise ConfigurationError(f"there is no {self._path}: start the app once, it makes it")

    async def close(self) -> None:
        """Finish what was submitted, and close the file."""
        async with self._changing:
            writer, reader, wake = self._writer, self._reader, self._wake
            self._writer = self._reader = self._wake = None
            if writer is None or reader is None or wake is None:
                return
            wake.close()
            self._holders.close()
            self._promoters.close()
            self._sharers.close()
            # The last connection to go checkpoints the file: better the writer thread's.
            reader.close()
            await writer.close()

    def accept(self, jobs: Sequence[NewJob]) -> asyncio.Future[Sequence[bool]]:
        """Store jobs in the next group commit."""
        return self._submit("accept", jobs)

    async def claim(self, wishes: Sequence[KeyWish]) -> Sequence[KeyHold | KeyRecord]:
        """Hold keys in the next group commit; if some are held, free the dead's first."""
        return await idempotency.claim_or_take_over(
            lambda call: self._submit("claim", call), self._sharers, wishes
        )

    async def keys(self, keys: Sequence[str]) -> Sequence[KeyRecord | None]:
        """Look keys up on the spot."""
        return idempotency.read(self._reading(), keys, self._clock.now())

    async def ready(self, demands: Sequence[Demand], wait_seconds: float) -> Sequence[str]:
        """Ask the index; then wait for a wake-up, or until a job falls due."""
        reader, wake = self._opened()
        wake.listen(Topic.WORK)
        until = self._clock.monotonic() + wait_seconds
        while True:
            seen = wake.count(Topic.WORK)
            now = self._clock.now()
            found, due = look(reader, demands, now)
            left = until - self._clock.monotonic()
            if found or left <= 0:
                return found
            await wake.wait(Topic.WORK, seen, min(left, due - now))
            if self._reader is not reader:  # closed meanwhile
                return ()

    async def receive(self, demands: Sequence[Demand]) -> Sequence[Delivery]:
        """Lease due jobs in the next group commit."""
        call = (self._holders.own(), demands)
        deliveries: list[Delivery] = await self._submit("receive", call)
        return deliveries

    async def promote(self, promotions: Sequence[Promotion]) -> Sequence[Delivery | None]:
        """Store jobs with their leases, in the next group commit."""
        call = (self._promoters.own(), promotions)
        deliveries: list[Delivery | None] = await self._submit("promote", call)
        return deliveries

    async def extend(self, extensions: Sequence[Extension]) -> Sequence[bool]:
        """Hold leases longer, in the next group commit."""
        return await self._booleans("extend", extensions)

    async def settle(self, settlements: Sequence[Settlement]) -> Sequence[Settled]:
        """Commit attempts in the next group commit; an illegal transition fails the whole call."""
        settled: list[Settled] = await self._submit("settle", settlements)
        return settled

    async def overdue(self, count: int, lease_seconds: float) -> Sequence[Overdue]:
        """Take over what lapsed or expired, in the next group commit."""
        holder = self._holders.own()
        dead = [*self._holders.dead(), *self._promoters.dead(), *self._sharers.dead()]
        call = jobs.TakeOver(holder=holder, dead=dead, count=count, lease_seconds=lease_seconds)
        taken: list[Overdue] = await self._submit("overdue", call)
        self._holders.bury(dead)
        return taken

    async def cancel(self, cancellations: Sequence[Cancellation]) -> Sequence[bool]:
        """End jobs from outside, in the next group commit."""
        return await self._booleans("cancel", cancellations)

    async def hide(self, ids: Sequence[str]) -> Sequence[bool]:
        """Hide jobs from their owners, in the next group commit."""
        return await self._booleans("hide", ids)

    async def share(self, wishes: Sequence[ShareWish]) -> Sequence[Share]:
        """Hold slots and draw starts in the next group commit; if short, free the dead's first."""
        return await share(self._submit, self._sharers.own(), self._sharers, wishes)

    async def limits(self, names: Sequence[str] | None = None) -> Sequence[LimitUse]:
        """Read the counters on the spot."""
        return limits.uses(self._reading(), names, self._clock.now())

    async def learn(self, lessons: Sequence[Lesson]) -> Sequence[bool]:
        """Store what was learnt, in the next group commit."""
        return await self._booleans("learn", lessons)

    async def purge(self, count: int, *, tombstone_seconds: float = 0.0) -> int:
        """Delete records past their retention, in the next group commit."""
        purged: int = await self._submit(
            "purge", purge.Purge(count=count, tombstone_seconds=tombstone_seconds)
        )
        return purged

    async def gone(self, ids: Sequence[str]) -> Sequence[Tombstone | None]:
        """Look tombstones up on the spot."""
        return purge.gone(self._reading(), ids, self._clock.now())

    async def get(self, ids: Sequence[str]) -> Sequence[JobRecord | None]:
        """Look records up on the spot."""
        return jobs.get(self._reading(), ids, self._clock.now())

    async def read(self, keys: Sequence[ItemKey]) -> Sequence[Item]:
        """Look items up on the spot."""
        return items.read(self._reading(), keys)

    async def query(self, wanted: ItemQuery) -> ItemPage:
        """Walk the items' index on the spot."""
        return items.query(self._reading(), wanted)

    async def messages(self, ids: Sequence[str]) -> Sequence[Message | None]:
        """Look messages up on the spot."""
        return jobs.messages(self._reading(), ids)

    async def events(
        self, after: str | None, wait_seconds: float, *, jobs: WhichJobs | None = None
    ) -> EventPage:
        """Read on after the cursor; wait for a wake-up if there is nothing."""
        reader, wake = self._opened()
        wake.listen(Topic.EVENTS)
        if after is None:
            return events.now_page(reader)
        until = self._clock.monotonic() + wait_seconds
        while True:
            seen = wake.count(Topic.EVENTS)
            page = events.page_after(reader, after, jobs)
            left = until - self._clock.monotonic()
            if page.events or left <= 0:
                return page
            await wake.wait(Topic.EVENTS, seen, left)
            if self._reader is not reader:  # closed meanwhile
                return page

    def _may_block(self) -> bool:
        return self.may_block()  # as it is now, not as it was when this was opened

    def _submit(self, name: str, arguments: Any) -> asyncio.Future[Any]:
        if self._writer is None:
            raise EngineError("the engine is not open")
        return self._writer.submit(name, arguments)

    def _reading(self) -> Reader:
        return self._opened()[0]

    def _opened(self) -> tuple[Reader, FileWake]:
        if self._reader is None or self._wake is None:
            raise EngineError("the engine is not open")
        return self._reader, self._wake

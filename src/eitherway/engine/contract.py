"""The engine contract: where records, messages, table items and events live.

An engine moves jobs between states; it decides nothing. Policy (retries, budgets, what a crash
means) is the worker's. Every method

* takes and returns sequences, in the same order, so that engines fill their batches;
* may be called concurrently from one event loop (the one that called `open`);
* blocks for the store's round trips alone, except `ready` and `events`, which wait;
* never retries or sleeps on its own account: it raises `EngineUnavailableError` for what may work
  later and `EngineError` for what will not. When it raises, nothing of the call took effect
  unless the method says otherwise; or, where the store is on a network, nobody knows: an answer
  may be lost, and a batch be done in part. A repeat finds what was done.

What operators ask of it stands apart, in `operated.py`. How SQS with DynamoDB, and JetStream, keep
each method: `docs/adr/0002-engine-contract.md`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar

from ..clock import Clock
from ..ids import Randomness
from ..job import JobRecord
from .cancellation import Cancellation
from .capabilities import Capabilities
from .event_query import EventPage, WhichJobs
from .idempotency import KeyHold, KeyRecord, KeyWish
from .item_query import ItemPage, ItemQuery
from .limits import Lesson, LimitUse, Share, ShareWish
from .operated import OperatedEngine
from .promotion import Promotion
from .tombstone import Tombstone
from .values import (
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

Step = Callable[[str], None]
"""Called with the name of each step an engine takes; a test crashes there."""


class Engine(OperatedEngine):
    """Keeps jobs, messages, items and events. See the module for what holds of every method."""

    STEPS: ClassVar[Sequence[str]] = ()
    """The steps within `accept` and `settle` between which a crash must lose nothing."""

    may_block: Callable[[], bool] = staticmethod(lambda: False)
    """Whether nothing else goes on in the event loop for now, whose process may set this.

    An engine whose store is in the process then spares itself the way over to a thread.
    """

    @classmethod
    @abstractmethod
    def from_url(
        cls, url: str, *, clock: Clock, randomness: Randomness, at_step: Step = lambda _: None
    ) -> Engine:
        """Make an engine of this URL, opening nothing. `ConfigurationError` on a wrong URL."""

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities:
        """What this engine can do. Constant."""

    @abstractmethod
    async def open(self, *, create: bool = True) -> None:
        """Connect, and bring the store's schema up to date. Idempotent.

        `ConfigurationError`, one line, where a person has to act (a newer schema, no permission;
        without `create`, a store that is not there).
        """

    @abstractmethod
    async def close(self) -> None:
        """Let go of everything; what was accepted stays. Idempotent, bounded."""

    @abstractmethod
    def accept(self, jobs: Sequence[NewJob]) -> Awaitable[Sequence[bool]]:
        """Store jobs and their messages, durably at `capabilities.durability` once awaited.

        True where the job is new, False where this id was accepted before (nothing changes then).

        The key of a job is stored with it and stands for it from then on. False, too, where the key
        is in use, which `keys` tells more of; but a free key is taken, by a request with the same
        fingerprint under the same job id alone. With the token of a hold the key goes over from
        the call of this id, and from nobody else.
        """

    @abstractmethod
    async def claim(self, wishes: Sequence[KeyWish]) -> Sequence[KeyHold | KeyRecord]:
        """Hold idempotency keys for calls, before these run; of those in use, what they stand for.

        To be had are keys that are new, expired or free. For a request with the fingerprint of the
        one before, the hold keeps that one's job id. It lapses after its `lease_seconds`, or when
        the engine knows its process to be dead. A wish with a token extends that hold, and takes
        nothing where it is lost.
        """

    @abstractmethod
    async def keys(self, keys: Sequence[str]) -> Sequence[KeyRecord | None]:
        """What these keys stand for now, None for those never used, or expired."""

    @abstractmethod
    async def ready(self, demands: Sequence[Demand], wait_seconds: float) -> Sequence[str]:
        """Wait until something may be received for some of the demands; of which operations.

        At most `wait_seconds`, then empty. Jobs that fall due are reported in time. A hint: another
        worker may be faster. What `receive` would not hand out is not reported for long. Safe to
        cancel.
        """

    @abstractmethod
    async def receive(self, demands: Sequence[Demand]) -> Sequence[Delivery]:
        """Hand out due jobs under fresh leases, without waiting for any.

        Each record is `running`, its start and its attempt counted and its open attempt last in
        `attempts`, before this returns. Jobs past their deadline or their attempts are not handed
        out. Roughly first due, first out. A call that is cancelled may leave jobs leased: they
        lapse.

        Each job handed out counts against every limit of its demand, one that is keyed under the
        job's own key, until its attempt is settled; its start is drawn from the rate. No more are
        handed out than that allows, over all processes and with the shares that they hold. A job
        whose key has no room holds up no other.
        """

    @abstractmethod
    async def promote(self, promotions: Sequence[Promotion]) -> Sequence[Delivery | None]:
        """Store calls that run as jobs: `running`, attempt 1, leased to this process.

        Durable on return, as an accept. None where the id is known already, or where `accept` would
        not store the job's key: nothing is stored. No slot is taken and no start drawn: the call
        has them. A lost promotion lapses like any other lease. Raises `EngineError` where
        `promotes_running` is False.
        """

    @abstractmethod
    async def extend(self, extensions: Sequence[Extension]) -> Sequence[bool]:
        """Hold leases longer and record progress. False where the lease is lost."""

    @abstractmethod
    async def settle(self, settlements: Sequence[Settlement]) -> Sequence[Settled]:
        """Commit attempts: each one's records, items and enqueued jobs together or not at all.

        Fenced by the lease's token, not by its time: a lapsed lease settles until somebody takes
        it over. One member's conflict, lost lease or failure is its own; where every member failed,
        the first failure is raised. An illegal transition is a bug of the caller:
        `TransitionError`, and nothing of the call takes effect.

        A settlement with `others` ends them in the same write as its work: a lost lease of any of
        them, which `Settled.lost` names, leaves all of them as they were. So does a `key` that
        somebody else holds by now. A key that ends so stands for its answer, or is free.

        A settlement's charges are taken with its commit, all or none, out of buckets that every
        engine on the store shares; one that does not commit takes nothing. Only a crash may lose
        what was taken for it.
        """

    @abstractmethod
    async def overdue(self, count: int, lease_seconds: float) -> Sequence[Overdue]:
        """Take over up to `count` jobs whose lease lapsed or whose deadline passed while waiting.

        An engine that knows a holder to be dead need not wait for its leases. Old holders are
        fenced out; states stay as they are until the taker settles, and if the taker dies too, the
        next one learns the same `lost_alone`. A store of two parts repairs here what a crash left
        between them.
        """

    @abstractmethod
    async def cancel(self, cancellations: Sequence[Cancellation]) -> Sequence[bool]:
        """End jobs as `canceled`, in one fenced write each. False where it ended, or is unknown.

        What a cancellation enqueues is part of that write. A waiting job is never handed out from
        then on, and leaves its lane. Of a held one the open attempt ends `canceled` and the lease
        is lost; what it counts against, in limits and in its lane, it keeps until its holder
        settles, in vain, or its lease is over. Whichever is first: once.
        """

    @abstractmethod
    async def hide(self, ids: Sequence[str]) -> Sequence[bool]:
        """Mark jobs that have ended as `hidden`. False where it has not, or is so already.

        Nothing else of them changes, and no event tells of it.
        """

    @abstractmethod
    async def share(self, wishes: Sequence[ShareWish]) -> Sequence[Share]:
        """Hold slots of limits in this process, and draw starts, for calls without a record.

        Replaces what it held. Never more than the limit allows beside what runs and what others
        hold, but for those `in_use`. A share lapses after its `lease_seconds`, or when the engine
        knows its process to be dead; `slots=0` gives it back.
        """

    @abstractmethod
    async def limits(self, names: Sequence[str] | None = None) -> Sequence[LimitUse]:
        """What is in use of these limits, or of all that were ever used. A second old at most."""

    @abstractmethod
    async def learn(self, lessons: Sequence[Lesson]) -> Sequence[bool]:
        """Store what was learnt of limits, and read none of it. False where one has moved."""

    @abstractmethod
    async def purge(self, count: int, *, tombstone_seconds: float = 0.0) -> int:
        """Delete up to `count` records past their `expires`, with their events. How many.

        A tombstone stays of each until `tombstone_seconds` after its `expires`, and says so to
        `gone`. Tombstones past their time are deleted, too; and up to `count` idempotency keys
        past theirs, which are counted.
        """

    @abstractmethod
    async def gone(self, ids: Sequence[str]) -> Sequence[Tombstone | None]:
        """What is left of each job whose record is purged; None once its tombstone is, too."""

    @abstractmethod
    async def get(self, ids: Sequence[str]) -> Sequence[JobRecord | None]:
        """The records as they are now, None where there is none. Reads its own accepts."""

    @abstractmethod
    async def read(self, keys: Sequence[ItemKey]) -> Sequence[Item]:
        """The items as last committed."""

    @abstractmethod
    async def query(self, wanted: ItemQuery) -> ItemPage:
        """The next items of a table, or of one of its partitions, as last committed, in order.

        A page may be short, or empty, and still have an `after`: go on until it has none. Deleted
        items are not shown. Going on after a page repeats no item and passes over none that was
        there all the time, whatever was written in between. One query a call: the page is the
        batch.
        """

    @abstractmethod
    async def messages(self, ids: Sequence[str]) -> Sequence[Message | None]:
        """What was asked, as stored; None where there is no such job."""

    @abstractmethod
    async def events(
        self, after: str | None, wait_seconds: float, *, jobs: WhichJobs | None = None
    ) -> EventPage:
        """Events after the cursor; with None, no events and the cursor of now.

        Waits for the first one at most `wait_seconds`. With `jobs`, those of these jobs alone (of
        an owner's where `events_by_owner`), and the cursor may be past others'. Per job: in order,
        without gaps. `EngineError` for a cursor that is none. Safe to cancel.

        A page may be short, or empty, although there is more: going on until one `is_end` comes to
        all that was committed before. How much of the log one call reads is bounded, however long
        the log is; one that waits reads on.
        """

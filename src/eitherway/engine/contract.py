"""The engine contract: where records, messages, table items and events live.

An engine moves jobs between states; it decides nothing. Policy (retries, budgets, what a crash
means) is the worker's. Every method

* takes and returns sequences, in the same order, so that engines fill their batches;
* may be called concurrently from one event loop (the one that called `open`);
* blocks for one round trip to the store at most, except `ready` and `events`, which wait;
* never retries or sleeps on its own account: it raises `EngineUnavailableError` for what may work
  later and `EngineError` for what will not. When it raises, nothing of the call took effect
  unless the method says otherwise.

How SQS with DynamoDB, and JetStream, keep each method: `docs/adr/0002-engine-contract.md`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar

from ..clock import Clock
from ..ids import Randomness
from ..job import Attempt, FailureKind, JobRecord, JobState
from ..problem import Answer
from .capabilities import Capabilities


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """What is asked of an operation. The engine stores the parts and reads none of them."""

    payload: bytes = b""  # the body, JSON
    params: bytes = b""  # path and query parameters, a JSON object; empty for none
    headers: bytes = b""  # a JSON object; empty for none


@dataclass(frozen=True, kw_only=True, slots=True)
class NewJob:
    """A job to accept. `due` later than `created` makes it scheduled."""

    id: str
    operation: str
    version: int
    message: Message
    created: float
    due: float
    deadline: float
    attempts_max: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Demand:
    """How many jobs of an operation a worker has room for.

    Jobs accepted under a version above `version_max` are left alone. With `alone`, only suspects
    are handed out; without it, none are.
    """

    operation: str
    version_max: int
    count: int
    lease_seconds: float
    alone: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """An exclusive hold on a job. `token` fences: a later holder has another one."""

    job_id: str
    token: int
    alone: bool  # nothing else runs in the holder's process


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """A job handed to a worker: running, its attempt counted and started."""

    lease: Lease
    job: JobRecord
    message: Message


@dataclass(frozen=True, kw_only=True, slots=True)
class Overdue:
    """A job taken over because its lease lapsed (`running`) or its deadline passed (waiting).

    `lease` is the reaper's hold on it; `lost_alone` tells whether the lapsed lease said alone.
    """

    lease: Lease
    job: JobRecord
    lost_alone: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Extension:
    """A wish to hold a lease for `lease_seconds` from now, and the progress to record with it."""

    lease: Lease
    lease_seconds: float
    progress: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemKey:
    """Names one item of one table."""

    table: str
    key: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """A table item as read: version 0 and no value when there is none; versions count from 1."""

    version: int
    value: bytes | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemCheck:
    """The commit holds only if the item still has this version (0: is absent)."""

    key: ItemKey
    version: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemWrite:
    """Puts `value`, or deletes the item when it is None."""

    key: ItemKey
    value: bytes | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """What an attempt wants to have done: all of it or nothing."""

    checks: Sequence[ItemCheck] = ()
    writes: Sequence[ItemWrite] = ()
    jobs: Sequence[NewJob] = ()

    def __bool__(self) -> bool:
        return bool(self.checks or self.writes or self.jobs)


@dataclass(frozen=True, kw_only=True, slots=True)
class Finish:
    """Where a leased job goes, and what its record says from then on."""

    lease: Lease
    state: JobState  # succeeded, failed, retrying, queued or canceled
    at: float
    attempt: int  # counted attempts from now on
    starts: int  # starts from now on
    attempts: Sequence[Attempt]  # the ended ones, to append
    due: float | None = None  # of retrying and queued
    expires: float | None = None  # of the terminal states; None keeps the record
    suspect: bool = False
    answer: Answer | None = None
    error: Mapping[str, Any] | None = None
    kind: FailureKind | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Settlement:
    """One attempt's end: its work and, where it was a job's, the record. One fenced write."""

    work: Work = field(default_factory=Work)
    finish: Finish | None = None  # None for a direct call


class SettleStatus(Enum):
    """What became of a settlement."""

    DONE = "done"
    LEASE_LOST = "lease_lost"  # another holder has the job, or it ended; nothing written
    CONFLICT = "conflict"  # a check failed; nothing written, the lease still holds


@dataclass(frozen=True, kw_only=True, slots=True)
class Settled:
    """What became of a settlement; on a conflict, which items had moved."""

    status: SettleStatus
    conflicts: Sequence[ItemKey] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """A fact of a job's life. `sequence` is the record's revision: it grows along each job."""

    job_id: str
    sequence: int
    state: JobState
    at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class EventPage:
    """Events in the order of their commits, and the cursor to go on from."""

    events: Sequence[Event]
    cursor: str


Step = Callable[[str], None]
"""Called with the name of each step an engine takes; a test crashes there."""


class Engine(ABC):
    """Keeps jobs, messages, items and events. See the module for what holds of every method."""

    STEPS: ClassVar[Sequence[str]] = ()
    """The steps within `accept` and `settle` between which a crash must lose nothing."""

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
    async def open(self) -> None:
        """Connect, and bring the store's schema up to date. Idempotent.

        `ConfigurationError`, one line, where a person has to act (a newer schema, no permission).
        """

    @abstractmethod
    async def close(self) -> None:
        """Let go of everything; what was accepted stays. Idempotent, bounded."""

    @abstractmethod
    async def accept(self, jobs: Sequence[NewJob]) -> Sequence[bool]:
        """Store jobs and their messages, durably at `capabilities.durability` on return.

        True where the job is new, False where this id was accepted before (nothing changes then).
        """

    @abstractmethod
    async def ready(
        self, operations: Sequence[str], wait_seconds: float, *, alone: bool = False
    ) -> Sequence[str]:
        """Wait until something may be received for some of `operations`; which of them.

        With `alone`, suspects only; without it, none of them. At most `wait_seconds`, then empty.
        Jobs that fall due are reported in time. A hint: another worker may be faster. Safe to cancel.
        """

    @abstractmethod
    async def receive(self, demands: Sequence[Demand]) -> Sequence[Delivery]:
        """Hand out due jobs under fresh leases, without waiting for any.

        Each record is `running` with its start and its attempt counted before this returns. Jobs
        past their deadline or their attempts are not handed out. A call that is cancelled may
        leave jobs leased: they lapse.
        """

    @abstractmethod
    async def extend(self, extensions: Sequence[Extension]) -> Sequence[bool]:
        """Hold leases longer and record progress. False where the lease is lost."""

    @abstractmethod
    async def settle(self, settlements: Sequence[Settlement]) -> Sequence[Settled]:
        """Commit attempts: each one's record, items and enqueued jobs together or not at all.

        Fenced by the lease's token; the members are independent of one another.
        """

    @abstractmethod
    async def overdue(self, count: int, lease_seconds: float) -> Sequence[Overdue]:
        """Take over up to `count` jobs whose lease lapsed or whose deadline passed while waiting.

        Old holders are fenced out; states stay as they are until the taker settles. A store of
        two parts repairs here what a crash left between them.
        """

    @abstractmethod
    async def purge(self, count: int) -> int:
        """Delete up to `count` records past their `expires`, with their events. How many."""

    @abstractmethod
    async def get(self, ids: Sequence[str]) -> Sequence[JobRecord | None]:
        """The records as they are now, None where there is none. Reads its own accepts."""

    @abstractmethod
    async def read(self, keys: Sequence[ItemKey]) -> Sequence[Item]:
        """The items as last committed."""

    @abstractmethod
    async def events(self, after: str | None, wait_seconds: float) -> EventPage:
        """Events after the cursor; with None, no events and the cursor of now.

        Waits for the first one at most `wait_seconds`. Per job: in order, without gaps. Safe to
        cancel.
        """

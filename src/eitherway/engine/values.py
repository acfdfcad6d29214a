"""What engines take and return: values, keyword-only but for small ones. Times are epoch seconds.

None is changed once it is made. Those that each job makes are not frozen all the same: Python takes
three times as long to make one that is, and twice as long for keywords.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal, NamedTuple

from ..errors import EngineError
from ..job import Attempt, FailureKind, JobRecord, JobState
from ..problem import Answer
from .idempotency import KeyEnd, KeyUse
from .limits import LimitRule


@dataclass(slots=True)
class Message:
    """What is asked of an operation. The engine stores the parts and reads none of them."""

    payload: bytes = b""  # the body, JSON
    params: bytes = b""  # path and query parameters, a JSON object; empty for none
    headers: bytes = b""  # a JSON object; empty for none


@dataclass(frozen=True, kw_only=True, slots=True)
class Lane:
    """Where a job queues up, in the order of accepts: at most `width` of a lane are let out.

    A job that was let out makes room for the next one once it has `started`, once an attempt of it
    ended (`attempted`), or once the job itself did (`ended`): then the lane keeps its order. In the
    first two a job for later takes its place when it is due, not before.
    """

    name: str
    width: int
    until: Literal["started", "attempted", "ended"]


@dataclass(slots=True)
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
    keys: Mapping[str, str] = field(default_factory=dict)  # of the keyed limits, by their name
    lane: Lane | None = None
    key: KeyUse | None = None  # stands for the job, from its accept on
    owner: str | None = None  # the principal whose job it is; None: whoever knows the id
    traceparent: str | None = None  # the trace that the job belongs to, where a caller named one
    tracestate: str | None = None
    callback: str | None = None  # whom to tell of its end: the core's own text, stored as it is


@dataclass(frozen=True, kw_only=True, slots=True)
class Demand:
    """How many jobs of an operation a worker has room for, and the limits they have to hold to.

    Jobs accepted under a version above `version_max` are left alone. With `alone`, only suspects
    are handed out; without it, none are.
    """

    operation: str
    version_max: int
    count: int
    lease_seconds: float
    alone: bool = False
    limits: Sequence[LimitRule] = ()


@dataclass(slots=True)
class Lease:
    """An exclusive hold on a job. `token` fences: a later holder has another one."""

    job_id: str
    token: int
    alone: bool  # nothing else runs in the holder's process


@dataclass(slots=True)
class Delivery:
    """A job handed to a worker: running, its attempt counted and started."""

    lease: Lease
    job: JobRecord
    message: Message
    keys: Mapping[str, str] = field(default_factory=dict)  # as in `NewJob`


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


class ItemKey(NamedTuple):  # not a dataclass: it is made and hashed several times for each item
    """Names one item of one table; `partition` is empty where the table has none."""

    table: str
    key: str
    partition: str = ""


@dataclass(slots=True)
class Item:
    """A table item as read: version 0 and no value when there is none; versions count from 1."""

    version: int
    value: bytes | None


@dataclass(frozen=True, slots=True)
class ItemCheck:
    """The commit holds only if the item still has this version (0: is absent)."""

    key: ItemKey
    version: int


@dataclass(slots=True)
class ItemWrite:
    """Puts `value`, or deletes the item when it is None."""

    key: ItemKey
    value: bytes | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Charge:
    """Units that a settlement takes out of a token bucket, if it commits.

    A bucket begins full, with `units_max`, and gains `per_second` up to that.
    """

    bucket: str
    units: int
    per_second: float
    units_max: float


@dataclass(kw_only=True, slots=True)
class Work:
    """What an attempt wants to have done: all of it or nothing."""

    checks: Sequence[ItemCheck] = ()
    writes: Sequence[ItemWrite] = ()
    jobs: Sequence[NewJob] = ()
    charges: Sequence[Charge] = ()  # of different buckets

    def __bool__(self) -> bool:
        return bool(self.checks or self.writes or self.jobs or self.charges)


@dataclass(slots=True)
class Finish:
    """Where a leased job goes, and what its record says from then on."""

    lease: Lease
    state: JobState  # succeeded, failed, retrying, queued or canceled
    at: float
    attempt: int  # counted attempts from now on
    starts: int  # starts from now on
    attempts: Sequence[Attempt]  # the ended ones, to append
    answer: Answer | None = None
    expires: float | None = None  # of the terminal states; None keeps the record
    due: float | None = None  # of retrying and queued
    suspect: bool = False
    error: Mapping[str, Any] | None = None
    kind: FailureKind | None = None
    cause: str | None = None  # of a dead letter: what such letters are grouped by
    jobs: Sequence[NewJob] = ()  # enqueued with it


@dataclass(slots=True)
class Settlement:
    """One attempt's end: its work and, where it was a job's, the record. One fenced write.

    `others` are jobs that end in the same write: all of it, or, if any lease is lost, nothing.
    `key` is what the call held of its idempotency key, and ends in that write, too.
    """

    work: Work = field(default_factory=Work)
    finish: Finish | None = None  # None for a direct call
    others: Sequence[Finish] = ()
    key: KeyEnd | None = None

    @property
    def finishes(self) -> Sequence[Finish]:
        """Every job that ends in this write."""
        return self.others if self.finish is None else (self.finish, *self.others)


class SettleStatus(Enum):
    """What became of a settlement."""

    DONE = "done"
    LEASE_LOST = "lease_lost"  # another holder has the job, or it ended; nothing written
    CONFLICT = "conflict"  # a check failed; nothing written, the lease still holds
    THROTTLED = "throttled"  # a bucket holds too little; nothing written, the lease still holds
    FAILED = "failed"  # the engine could not, `error` says why; nothing written that it knows of


@dataclass(frozen=True, kw_only=True, slots=True)
class Settled:
    """What became of a settlement; on a conflict, which items had moved.

    Where a lease was lost, `lost` has the ids of all the jobs of the settlement that lost theirs,
    and `canceled` of those that were canceled while it was held.
    """

    status: SettleStatus
    conflicts: Sequence[ItemKey] = ()
    lost: Sequence[str] = ()
    canceled: Sequence[str] = ()
    wait_seconds: float = 0.0  # throttled: the bucket could hold enough after that. A hint
    error: EngineError | None = None  # failed: why


@dataclass(slots=True)
class Event:
    """A fact of a job's life. `sequence` is the record's revision: it grows along each job."""

    job_id: str
    sequence: int
    state: JobState
    at: float
    progress: bool = False  # the state did not change: the handler said how far it is
    cursor: str = ""  # `events` goes on right after this one; every engine gives it
    owner: str | None = None  # of the job; given where the engine can tell `events_by_owner`


@dataclass(frozen=True, kw_only=True, slots=True)
class Redrive:
    """A dead letter to send again: same id, numbering goes on, a fresh budget and deadline."""

    job_id: str
    at: float
    due: float
    deadline: float
    attempts: int  # granted on top of those it has used
    message: Message | None = None  # an edited one; None keeps what it had


@dataclass(frozen=True, kw_only=True, slots=True)
class Flow:
    """How an operation's queue moves."""

    waiting: int  # scheduled, queued or retrying now
    ended: int  # so far; only the difference between two looks means something


@dataclass(frozen=True, kw_only=True, slots=True)
class OperationStatistics:
    """Where an operation's jobs are."""

    operation: str
    counts: Mapping[JobState, int]  # how many records are in each state
    dead: int  # of the failed ones, those that nobody rejected
    oldest_due: float | None  # of the waiting ones: since when the first could have run
    paused: bool

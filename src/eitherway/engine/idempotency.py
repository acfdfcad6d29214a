"""What an engine keeps of idempotency keys: values, frozen and keyword-only. Times as in `values`.

An engine is given keys that are made already (of a principal, a route and what the client sent),
and fingerprints that it compares and reads nothing of.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ..problem import Answer


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyUse:
    """A request under a key: what it asks for, and until when the key is kept.

    With the `token` of a hold it is that hold's own: to be extended, or to go over to a job.
    """

    key: str
    fingerprint: bytes
    expires: float
    token: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyWish:
    """A wish to hold a key for `lease_seconds` from now, for the call `job_id`."""

    use: KeyUse
    job_id: str
    lease_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyHold:
    """An exclusive hold on a key. `token` fences: a later holder has another one."""

    key: str
    job_id: str  # of the call; an earlier one's, where that did not come to an answer
    token: int


class KeyState(Enum):
    """What a key stands for."""

    HELD = "held"  # by a call that runs
    FREE = "free"  # its call came to no answer, or let its lease lapse
    JOB = "job"  # for a job, whatever became of that
    ANSWERED = "answered"  # for the answer of a call


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyRecord:
    """A key as it was used before."""

    fingerprint: bytes
    job_id: str
    state: KeyState
    answer: Answer | None = None  # where it is answered


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyEnd:
    """How the hold on a key ends: with the answer to keep until `expires`; None leaves it free."""

    hold: KeyHold
    expires: float
    answer: Answer | None = None

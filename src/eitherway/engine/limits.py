"""What engines take and return about limits: values, frozen and keyword-only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class LimitRule:
    """A limit as whoever starts something has to hold to it now, over all that name it.

    `reserved` of the attempts at once are for calls alone. `burst` is how many starts may be saved
    up. A keyed rule holds for each key by itself.
    """

    name: str
    in_flight: int | None = None  # attempts at once
    reserved: int = 0  # of them, kept for calls
    per_second: float | None = None  # starts
    burst: float = 1.0
    keyed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ShareWish:
    """What a process wants of a limit, for calls: they have no lease that could count for them.

    `slots` is what it wants to hold from now on; `in_use` of them it cannot give up, whatever the
    limit says: calls have them, or may take them before it has the answer. `starts` are drawn on
    top, `unused` ones that were drawn before are given back.
    """

    limit: LimitRule
    key: str = ""
    slots: int = 0
    in_use: int = 0
    starts: int = 0
    unused: int = 0
    lease_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """What a process holds of a limit from now on, and what it drew."""

    slots: int
    starts: int
    fair: int = 2**31  # what to come down to as calls end, because jobs wait as well
    wait_seconds: float | None = None  # until the next start can be drawn; None without a rate


@dataclass(frozen=True, kw_only=True, slots=True)
class LimitUse:
    """What is in use of a limit now, over all its keys; `learned` is what `learn` stored last."""

    name: str
    running: int = 0  # attempts under a lease
    held: int = 0  # slots that processes hold for calls
    started: int = 0  # starts so far: it only grows
    learned: bytes | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Lesson:
    """Replaces what is stored with a limit, unless somebody else did since it was `seen`."""

    limit: str
    seen: bytes | None
    learned: bytes

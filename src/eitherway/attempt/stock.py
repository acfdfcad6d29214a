"""What a process holds of one limit, for direct calls: slots under a lease, and a few starts."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..engine.limits import LimitRule, Share, ShareWish

LEASE_SECONDS = 15.0
RENEW_SECONDS = 5.0
_FRESH_SECONDS = 0.05
"""How long drawn starts may be used: so that none are hoarded over the rate's own burst."""

_KEPT_SECONDS = 60.0
_KEPT_PART = 8
"""A limit's eighth stays here for a minute after the last call, so that rare calls need not ask."""

_CLOSED_SECONDS = 0.02


@dataclass(eq=False, slots=True)
class Stock:
    """What is here of a limit, or of one of its keys. Taken and given back without a round trip."""

    rule: LimitRule
    key: str
    used: int = 0
    slots: int = 0
    starts: int = 0
    fair: int = 2**31  # come down to this as calls end: jobs wait as well
    waiting: int = 0  # calls that wait for the store's answer
    peak: int = 0  # most in use since the last look
    used_at: float = -math.inf
    drawn_at: float = -math.inf
    renewed_at: float = -math.inf
    closed_until: float = -math.inf  # the store had nothing: not asked before

    def has_slot(self, now: float, ahead: int = 0) -> bool:
        """Whether one more may be in use, after those ahead of it."""
        if self.rule.in_flight is None:
            return True
        return self.used + ahead < self.usable and now - self.renewed_at < LEASE_SECONDS

    def has_start(self, now: float, ahead: int = 0) -> bool:
        """Whether one more may start now, after those ahead of it."""
        if self.rule.per_second is None:
            return True
        return self.starts > ahead and now - self.drawn_at <= _FRESH_SECONDS

    def has_room(self, now: float, ahead: int) -> bool:
        """Whether one more may start now and be in use."""
        return self.has_start(now, ahead) and self.has_slot(now, ahead)

    def take_slot(self, now: float) -> None:
        """A call begins."""
        self.used += 1
        self.peak = max(self.peak, self.used)
        self.used_at = now

    def take_start(self) -> None:
        """It starts now."""
        if self.rule.per_second is not None:
            self.starts -= 1

    def give_back(self) -> None:
        """A call has ended."""
        self.used -= 1

    def wish(self, now: float) -> ShareWish:
        """What to ask for when calls wait: enough for them, and somewhat more."""
        slots = int((self.used + max(1, self.waiting)) * 1.5)
        starts = 0
        unused = 0
        if self.rule.per_second is not None and not self.has_start(now):
            starts = max(1, min(self.waiting, math.ceil(self.rule.burst / 2)))
            unused, self.starts = self.starts, 0
        return self._wish(max(self.slots, slots), starts, unused)

    def kept(self) -> ShareWish:
        """To hold what is in use, also where that is more than the limit allows."""
        return self._wish(max(self.slots, self.used))

    def lowered(self, now: float) -> ShareWish | None:
        """What to hold from now on, as the last second was; None where that need not be said."""
        slots = max(self.used, min(self.slots, self.fair, int(self.peak * 1.25)))
        if now - self.used_at < _KEPT_SECONDS:
            slots = max(slots, min(self.slots, self.fair, (self.rule.in_flight or 0) // _KEPT_PART))
        self.peak = self.used
        renewed = now - self.renewed_at < (RENEW_SECONDS if self.is_idle(now) else 0.0)
        if slots == self.slots and (not slots or renewed):
            return None
        self.slots = slots  # nobody takes meanwhile what is about to be given back
        return self._wish(slots)

    def is_idle(self, now: float) -> bool:
        """Whether no call came lately: otherwise the store is asked whether jobs wait."""
        return not self.used and now - self.used_at >= 1.0

    @property
    def usable(self) -> int:
        """How many may be in use before the store is asked again, or has answered."""
        most = self.slots if self.rule.in_flight is None else self.rule.in_flight
        return max(self.used, min(self.slots, self.fair, most))

    @property
    def is_over(self) -> bool:
        """Whether more is held than is fair, and can be given back."""
        return self.slots > max(self.fair, self.used)

    def idle(self) -> ShareWish | None:
        """The same, with nothing kept in hand."""
        if self.slots == self.used:
            return None
        self.slots = self.used
        return self._wish(self.used)

    def got(self, share: Share, asked_at: float, now: float) -> None:
        """Take in the store's answer: the lease began after it was asked, and before `now`."""
        self.slots, self.fair, self.renewed_at = share.slots, share.fair, asked_at
        if share.starts:
            self.starts += share.starts
            self.drawn_at = now

    def close(self, share: Share, now: float) -> None:
        """Where the store had nothing to give, it is not asked again at once."""
        if self.rule.in_flight is not None and share.slots <= self.used:
            self.closed_until = now + _CLOSED_SECONDS
        elif self.rule.per_second is not None and not self.starts:
            self.closed_until = now + (share.wait_seconds or _CLOSED_SECONDS)

    def _wish(self, slots: int, starts: int = 0, unused: int = 0) -> ShareWish:
        most = self.rule.in_flight
        return ShareWish(
            limit=self.rule,
            key=self.key,
            slots=0 if most is None else min(slots, most),
            # the store must not give away what a call may take before it answers
            in_use=0 if most is None else self.usable,
            starts=starts,
            unused=unused,
            lease_seconds=LEASE_SECONDS,
        )

"""The arithmetic of limits that is the same in every engine. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .limits import LimitRule, Share, ShareWish

NO_LIMIT = 2**31

WANT_SECONDS = 2.0
"""How long calls keep room for jobs that had none, and jobs for calls."""

_ROUNDING = 1e-3
"""The clock's rounding must not cost a whole token."""


@dataclass(slots=True)
class CommonUse:
    """What is in use of a limit's rate, and who wants more of its places than there are."""

    started: int = 0
    tokens: float | None = None  # starts that were saved up ...
    filled: float | None = None  # ... at this time
    calls_want: float = 0.0  # until then calls have too few places
    jobs_want: float = 0.0  # until then jobs have

    def starts(self, rule: LimitRule, now: float) -> tuple[int, float]:
        """How many starts can be drawn now; and, where none can, after how many seconds one can."""
        if rule.per_second is None:
            return NO_LIMIT, 0.0
        tokens = self._tokens(rule, rule.per_second, now)
        if tokens + _ROUNDING >= 1:
            return math.floor(tokens + _ROUNDING), 0.0
        return 0, (1 - tokens) / rule.per_second

    def draw(self, rule: LimitRule, count: int, now: float) -> None:
        """Take starts out, or with a negative count put them back."""
        self.started += count
        if rule.per_second is not None:
            left = self._tokens(rule, rule.per_second, now) - count
            self.tokens, self.filled = min(rule.burst, left), max(now, self.filled or now)

    def is_kept_from_jobs(self, rule: LimitRule, held: int, places: int, now: float) -> bool:
        """Whether calls hold more than their part while jobs have no place, and do not know yet."""
        if rule.in_flight is None or held <= for_calls(rule):
            return False
        return places <= 0 and self.jobs_want < now + WANT_SECONDS / 2

    def grant(self, wish: ShareWish, free: int, others: int, now: float) -> Share:
        """What a process holds for calls from now on, out of `free` places; its starts are drawn.

        `others` is what other processes hold for calls.
        """
        rule, fair = wish.limit, NO_LIMIT
        if rule.in_flight is not None and self.jobs_want > now:
            fair = max(0, for_calls(rule) - others)
        slots = max(wish.in_use, min(wish.slots, free, fair))
        if slots < wish.slots and free <= wish.in_use:
            self.calls_want = now + WANT_SECONDS
        if wish.unused:
            self.draw(rule, -wish.unused, now)
        able, wait = self.starts(rule, now)
        starts = min(able, wish.starts)
        self.draw(rule, starts, now)
        wait_seconds = None if rule.per_second is None else wait
        return Share(slots=slots, starts=starts, fair=fair, wait_seconds=wait_seconds)

    def burst(self, rule: LimitRule, now: float) -> float:  # noqa: ARG002 - an engine's own may
        """How many starts may be saved up at `now`."""
        return rule.burst

    def _tokens(self, rule: LimitRule, per_second: float, now: float) -> float:
        if self.tokens is None or self.filled is None:
            return self.burst(rule, now)
        gained = max(0.0, now - self.filled) * per_second
        return min(self.burst(rule, now), self.tokens + gained)


def for_calls(rule: LimitRule) -> int:
    """How many places calls may hold while jobs wait for some, and keep while they do."""
    return rule.reserved or (rule.in_flight or 0) // 2

"""What is in use of limits, as a transaction sees it: read once, counted on, written at its end."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...engine.limit_rules import NO_LIMIT, WANT_SECONDS, CommonUse, for_calls
from ...engine.limits import Lesson, LimitRule, LimitUse, Share, ShareWish
from ...engine.waking import Topic

if TYPE_CHECKING:
    from .reader import Reader
    from .transaction import Transaction

NO_KEY = "-"
"""The key of jobs that were accepted before their limit had keys."""

_KEY_KEPT_SECONDS = 60.0


@dataclass(slots=True)
class Use(CommonUse):
    """What is in use of a limit, or of one of its keys: a row of `limit_use`, and the shares."""

    running: int = 0
    full: int = 0
    idle_at: float | None = None
    held: int = 0

    def room(self, rule: LimitRule, now: float) -> tuple[int, float]:
        """How many attempts may start now; and, where none may, after how many seconds one might.

        The seconds are infinite where only an end makes room.
        """
        slots = self.places(rule, now)
        if slots <= 0:
            return 0, math.inf
        starts, wait = self.starts(rule, now)
        return min(slots, starts), wait

    def places(self, rule: LimitRule, now: float) -> int:
        """How many more jobs may run, beside what calls hold, and what is theirs."""
        if rule.in_flight is None:
            return NO_LIMIT
        theirs = for_calls(rule) if self.calls_want > now else rule.reserved
        return rule.in_flight - self.running - max(self.held, theirs)

    def is_held_from_jobs(self, rule: LimitRule, now: float) -> bool:
        """Whether calls hold more than their part while jobs have no place, and do not know yet."""
        return self.is_kept_from_jobs(rule, self.held, self.places(rule, now), now)


class Limits:
    """Every limit that a transaction touches."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._uses: dict[tuple[str, str], Use] = {}

    def room(self, rules: Sequence[LimitRule], keys: Mapping[str, str]) -> tuple[int, float]:
        """How many attempts all of the rules allow to start now, and else after how long."""
        room, wait = NO_LIMIT, 0.0
        for rule in rules:
            one, seconds = self._use(rule, keys).room(rule, self._tx.now)
            room, wait = min(room, one), max(wait, seconds)
        return room, wait

    def want(self, rules: Sequence[LimitRule], keys: Mapping[str, str]) -> None:
        """Jobs are due and have no place: calls are to come down to their part."""
        for rule in rules:
            use = self._use(rule, keys)
            if use.is_held_from_jobs(rule, self._tx.now):
                use.jobs_want = self._tx.now + WANT_SECONDS

    def start(self, rules: Sequence[LimitRule], keys: Mapping[str, str], count: int = 1) -> None:
        """Count attempts that start."""
        for rule in rules:
            use = self._use(rule, keys)
            use.running += count
            use.draw(rule, count, self._tx.now)
            use.full = int(use.room(rule, self._tx.now)[0] <= 0)
            if rule.keyed:
                total = self._find(rule.name, "")
                total.running += count
                total.started += count

    def end(self, name: str, key: str, count: int = 1) -> None:
        """Count attempts that ended."""
        use = self._find(name, key)
        use.running = max(0, use.running - count)
        self._made_room(use)
        if key:
            total = self._find(name, "")
            total.running = max(0, total.running - count)

    def share(self, holder: str, wish: ShareWish) -> Share:
        """Let a process hold slots and draw starts, as far as there are."""
        rule, key, now = wish.limit, wish.key, self._tx.now
        use = self._use(rule, {rule.name: key})
        mine = self._tx.one("share_of", name=rule.name, key=key, holder=holder)
        others = use.held - (mine[0] if mine is not None and mine[1] > now else 0)
        free = NO_LIMIT if rule.in_flight is None else rule.in_flight - use.running - others
        share = use.grant(wish, free, others, now)
        if share.slots:
            until = now + wish.lease_seconds
            self._tx.each("share", [(rule.name, key, holder, share.slots, until)])
        elif mine is not None:
            self._tx.each("unshare", [(rule.name, key, holder)])
        if others + share.slots < use.held:
            use.full = 1  # for jobs it may have been, beside what was held
        if others + share.slots < use.held or wish.unused:
            self._made_room(use)
        use.held = others + share.slots
        if rule.keyed:
            self._find(rule.name, "").started += share.starts - wish.unused
        return share

    def write(self) -> None:
        """Write down what was counted."""
        rows = [
            (
                name,
                key,
                use.running,
                use.full,
                use.started,
                use.tokens,
                use.filled,
                use.idle_at,
                use.calls_want,
                use.jobs_want,
            )
            for (name, key), use in self._uses.items()
        ]
        self._tx.each("limit_use_write", rows)
        self._uses.clear()

    def _made_room(self, use: Use) -> None:
        if use.full:
            use.full = 0
            self._tx.topics.add(Topic.WORK)

    def _use(self, rule: LimitRule, keys: Mapping[str, str]) -> Use:
        key = keys.get(rule.name, NO_KEY) if rule.keyed else ""
        use = self._find(rule.name, key)
        if rule.keyed:  # there may be millions of keys: `purge` forgets those that say nothing
            refill_seconds = rule.burst / rule.per_second if rule.per_second else 0.0
            use.idle_at = self._tx.now + refill_seconds + _KEY_KEPT_SECONDS
        return use

    def _find(self, name: str, key: str) -> Use:
        use = self._uses.get((name, key))
        if use is None:
            row = self._tx.one("limit_use", name=name, key=key, now=self._tx.now)
            use = self._uses[name, key] = Use() if row is None else Use(*row)
            if use.filled is not None and use.filled > self._tx.now:
                use.filled = self._tx.now  # the clock was set back: it fills from here
        return use


def share(
    tx: Transaction, calls: Sequence[tuple[str, Sequence[str], Sequence[ShareWish]]]
) -> list[list[Share]]:
    """Let processes hold slots and draw starts; what the dead held is free."""
    for _, dead, _ in calls:
        for name in dead:
            tx.each("unshare_dead", [(name,)])
    return [[tx.limits.share(holder, wish) for wish in wishes] for holder, _, wishes in calls]


def learn(tx: Transaction, calls: Sequence[Sequence[Lesson]]) -> list[list[bool]]:
    """Store what was learnt, where it was learnt from what is stored."""
    return [[_learn(tx, lesson) for lesson in call] for call in calls]


def uses(reader: Reader, names: Sequence[str] | None, now: float) -> list[LimitUse]:
    """What is in use of these limits, or of all."""
    found = {
        name: LimitUse(name=name, running=running, held=held, started=started, learned=learned)
        for name, running, started, learned, held in reader.all("limits", now=now)
    }
    wanted = found if names is None else names
    return [found.get(name, LimitUse(name=name)) for name in wanted]


def _learn(tx: Transaction, lesson: Lesson) -> bool:
    stored = tx.one("learned", name=lesson.limit)
    if (None if stored is None else stored[0]) != lesson.seen:
        return False
    tx.one("learn", name=lesson.limit, learned=lesson.learned)
    return True

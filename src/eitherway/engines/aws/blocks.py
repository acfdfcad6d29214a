"""What this process has of each limit, and the item that says so to the others."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import TypeVar

from ...engine.limit_rules import WANT_SECONDS
from ...engine.limits import LimitRule, LimitUse
from ...errors import EngineError, EngineUnavailableError
from .limit_use import Part, Use, to_image, to_key, to_use
from .store import Store
from .writes import Write, commit

T = TypeVar("T")

FRESH_SECONDS = 1.0
"""What was read of others is believed for so long: one request a second for each limit at most."""

_SHARED_SECONDS = 0.02
"""Where others use the limit, too, it is read again before a write: a refused one costs more."""

_TRIES = 50


class Block:
    """This process's part of one limit. On the event loop; changes of the item come one by one."""

    def __init__(self, store: Store, name: str) -> None:
        self.name = name
        self.taken = 0  # places that attempts have, or are about to
        self.full = False  # somebody was told that there is no room
        self._store = store
        self._process = store.name
        self._rule: LimitRule | None = None
        self._spare = 0  # starts drawn and not made; below zero: made and not yet told
        self._told = 0  # `taken`, as the others know it
        self._use = Use()  # what this process knows of the item
        self._read_at = -math.inf
        self._turned_back = False
        self._asked = 0  # places that those want who are in `take`
        self._changing = asyncio.Lock()

    @property
    def is_fresh(self) -> bool:
        """Whether what is known of the others is new enough."""
        return 0 <= self._store.now() - self._read_at < FRESH_SECONDS

    @property
    def is_clean(self) -> bool:
        """Whether there is nothing to give back, or to tell."""
        return self._own.places == self._told == self.taken and not self._spare

    def refresh(self, use: Use) -> None:
        """The item was read; what is older than what is known is not believed."""
        if not self._changing.locked() and use.stamp >= self._use.stamp:
            self._believe(use)

    def told(self, use: Use) -> LimitUse:
        """What is in use, with what the item does not say yet."""
        now, process = self._store.now(), self._process
        return replace(
            use.told(self.name, now, besides=process),
            running=use.running(now, besides=process) + self.taken,
            started=use.started - self._spare,
        )

    def seconds_to_room(self, rule: LimitRule) -> float:
        """Until it allows a start, as far as is known; infinite where only an end makes room."""
        now, use = self._store.now(), self._current()
        if use.is_held_from_jobs(rule, self._process, now):
            return 0.0  # a claim in vain makes calls come down
        starts, seconds = use.starts(rule, now)
        if use.places(rule, self._process, now) <= 0:
            seconds = math.inf
        elif starts + self._spare > 0:
            return 0.0
        self.full = True
        # For some starts at once: a rate would wake all who wait for each single one.
        more = 0.0 if rule.per_second is None else (rule.burst / 2 - 1) / rule.per_second
        return seconds + max(0.0, more)

    async def take(self, rule: LimitRule, count: int, lease_seconds: float) -> int:
        """Have so many attempts count from now on, `count` at most."""
        self._rule = rule
        self._asked += count
        try:
            async with self._changing:
                await self._look()
                until = self._store.now() + lease_seconds
                granted = self._able(self._current(), rule, count, self._spare)
                if self._covers(rule, granted, until):
                    self._spare -= granted
                else:
                    places, starts = await self._update(lambda use: self._take(use, rule, until))
                    granted = min(count, places)
                    self._spare += starts - granted
                self.taken += granted
                self.full = self.full or not granted
        finally:
            self._asked -= count
        return granted

    def leave(self, count: int = 1, *, unstarted: bool = False) -> None:
        """So many are over, or (`unstarted`) never began."""
        self.taken = max(0, self.taken - count)
        if unstarted:
            self._spare += count

    async def hold_until(self, until: float) -> None:
        """Hold the places of what runs for so long."""

        def hold(use: Use) -> tuple[None, bool]:
            use.part(self._process).until = until
            return None, True

        if self.taken and self._own.until < until - FRESH_SECONDS:
            await self.change(hold)

    async def give_back(self, *, at_close: bool = False) -> None:
        """Give the others what is not used, and tell them what is; what calls hold, `at_close`."""

        def give(use: Use) -> tuple[None, bool]:
            part = use.part(self._process)
            if at_close:
                part.held, part.wants = 0, 0.0
            return None, True

        if not self.is_clean or (at_close and self._own.held):
            await self.change(give)

    async def change(
        self, change: Callable[[Use], tuple[T, bool]], rule: LimitRule | None = None
    ) -> T:
        """Change the use of the limit; what is not used is given back with it.

        `change` says what it gives, and whether there is anything to write.
        """
        self._rule = rule or self._rule
        async with self._changing:
            return await self._update(change)

    @property
    def _own(self) -> Part:
        return self._use.parts.get(self._process, Part())

    def _current(self) -> Use:
        self._use.part(self._process).running = self.taken
        return self._use

    def _believe(self, use: Use) -> None:
        now = self._store.now()
        self._use, self._read_at = use, now
        self._told = self._own.running
        self._turned_back = use.turn_back(now)

    async def _look(self, fresh_seconds: float = FRESH_SECONDS) -> None:
        if not 0 <= self._store.now() - self._read_at < fresh_seconds:
            (image,) = await self._store.get(self._store.items, [to_key(self.name)])
            self._believe(to_use(image))

    def _able(self, use: Use, rule: LimitRule, count: int, spare: int) -> int:
        now = self._store.now()
        starts = use.starts(rule, now)[0] + max(0, spare)
        return max(0, min(count, starts, use.places(rule, self._process, now)))

    def _covers(self, rule: LimitRule, count: int, until: float) -> bool:
        """Whether so many may start within what this process has: no request, then."""
        if not count or self._own.until < until - FRESH_SECONDS:
            return False
        is_late = self._own.ahead_until <= self._store.now()
        if rule.per_second is not None and (count > self._spare or is_late):
            return False
        return rule.in_flight is None or count <= self._own.places - self.taken

    def _take(self, use: Use, rule: LimitRule, until: float) -> tuple[tuple[int, int], bool]:
        """Draw places and starts for all who ask by now: those behind the first find them there."""
        now, part = self._store.now(), use.part(self._process)
        drawn = self._able(use, rule, self._asked, 0)
        if drawn:
            part.places += drawn
            part.running += drawn
            part.until = max(part.until, until)
            part.wants = 0.0
            use.draw(rule, drawn, now)
            ahead = use.draw_ahead(rule, self._process, now, FRESH_SECONDS)
            return (drawn, drawn + ahead), True
        if use.is_held_from_jobs(rule, self._process, now):
            use.jobs_want = now + WANT_SECONDS
            return (0, 0), True
        is_full = rule.in_flight is not None and use.places(rule, self._process, now) <= 0
        others = use.places_of_others(self._process, now)
        if is_full and others and part.wants < now + WANT_SECONDS / 2:
            part.wants = now + WANT_SECONDS
            return (0, 0), True
        return (0, 0), self._turned_back

    async def _update(self, change: Callable[[Use], tuple[T, bool]]) -> T:
        for _ in range(_TRIES):
            is_shared = any(process != self._process for process in self._use.parts)
            await self._look(_SHARED_SECONDS if is_shared else FRESH_SECONDS)
            now, spare = self._store.now(), self._spare
            use = deepcopy(self._use)
            part = use.part(self._process)
            part.places = part.running = self.taken
            part.ahead = 0
            if self._rule is not None:
                use.draw(self._rule, -spare, now)
            result, is_changed = change(use)
            if not is_changed:
                return result
            use.clean(now)
            self._spare -= spare
            try:
                if await self._write(use):
                    return result
            except EngineError:  # it may be written: told twice is better than drawn twice
                self._spare += min(0, spare)
                raise
            self._spare += spare
        raise EngineUnavailableError(f"others write the limit {self.name} all the time")

    async def _write(self, use: Use) -> bool:
        """Replace the item; False where others did meanwhile, who are believed then."""
        before, use.stamp = use.stamp, use.stamp + 1
        condition, values = "attribute_not_exists(stamp)", {}
        if before:
            condition, values = "stamp = :stamp", {":stamp": {"N": str(before)}}
        self._read_at, read_at = -math.inf, self._store.now()
        write = Write(
            table=self._store.items,
            image=to_image(self.name, use),
            condition=condition,
            values=values,
        )
        if await commit(self._store, [write]):
            return False
        self._use, self._read_at, self._turned_back = use, read_at, False
        self._told = self._own.running
        return True

"""What is in use of a limit by all processes: one item, and the arithmetic of it. Pure.

Each process has a part of the places, its block, under a lease: what it starts within that costs no
write. The sum of the blocks, and of what is held for calls, never exceeds the limit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from pydantic_core import from_json, to_json

from ...engine.limit_rules import NO_LIMIT, CommonUse, for_calls
from ...engine.limits import LimitRule, LimitUse, Share, ShareWish
from .codec import Image

MARGIN_SECONDS = 1.0
"""For clocks that differ: so long after its lease a block counts still."""


@dataclass(slots=True)
class Part:
    """What one process has of a limit."""

    places: int = 0  # for jobs
    running: int = 0  # of them, as the process said last
    until: float = 0.0  # its lease on them
    held: int = 0  # places for calls
    held_until: float = 0.0
    wants: float = 0.0  # until then it waits for places that others have
    ahead: int = 0  # starts that it drew for later
    ahead_until: float = 0.0  # it makes none of them after that

    def has_places(self, now: float) -> bool:
        """Whether its places count."""
        return self.places > 0 and self.until + MARGIN_SECONDS > now

    def has_held(self, now: float) -> bool:
        """Whether what it holds for calls counts."""
        return self.held > 0 and self.held_until + MARGIN_SECONDS > now

    def is_over(self, now: float) -> bool:
        """Whether it says nothing any more."""
        is_waiting = self.wants > now or (self.ahead > 0 and self.ahead_until > now)
        return not self.has_places(now) and not self.has_held(now) and not is_waiting


@dataclass(slots=True)
class Use(CommonUse):
    """What is in use of a limit."""

    parts: dict[str, Part] = field(default_factory=dict)  # by the process
    learned: bytes | None = None
    stamp: int = 0

    def part(self, process: str) -> Part:
        """What a process has; made where there is nothing."""
        return self.parts.setdefault(process, Part())

    def turn_back(self, now: float) -> bool:
        """Fill from here on where the clock was set back; whether it was.

        By less than clocks differ it was not: to fill from each clock in turn would gain what they
        differ by, each time.
        """
        if self.filled is None or self.filled <= now + MARGIN_SECONDS:
            return False
        self.filled = now
        return True

    def clean(self, now: float) -> None:
        """Forget the parts that are over; what a dead process had is free then."""
        for process in [process for process, part in self.parts.items() if part.is_over(now)]:
            del self.parts[process]

    def told(self, name: str, now: float, besides: str) -> LimitUse:
        """What is in use; jobs by all but one process."""
        return LimitUse(
            name=name,
            running=self.running(now, besides),
            held=self.held(now),
            started=self.started,
            learned=self.learned,
        )

    def running(self, now: float, besides: str) -> int:
        """What runs, as far as the other processes have said."""
        return sum(part.running for part in self._others(besides) if part.has_places(now))

    def places(self, rule: LimitRule, process: str, now: float) -> int:
        """How many jobs a process may run beyond `running`, beside others and what is for calls."""
        if rule.in_flight is None:
            return NO_LIMIT
        own = self.part(process).running
        for_calls_now = for_calls(rule) if self.calls_want > now else rule.reserved
        free = rule.in_flight - own - self.places_of_others(process, now)
        free -= max(self.held(now), for_calls_now)
        sharers = sum(
            part.wants > now or part.has_places(now)
            for name, part in self.parts.items()
            if name != process
        )
        if any(part.wants > now for name, part in self.parts.items() if name != process):
            fair = max(1, (rule.in_flight - rule.reserved) // (sharers + 1))
            return min(free, fair - own)
        return free

    def places_of_others(self, process: str, now: float) -> int:
        """What the blocks of the other processes come to."""
        return sum(part.places for part in self._others(process) if part.has_places(now))

    def held(self, now: float, besides: str = "") -> int:
        """What all processes, or all but one, hold for calls."""
        return sum(part.held for part in self._others(besides) if part.has_held(now))

    def is_held_from_jobs(self, rule: LimitRule, process: str, now: float) -> bool:
        """Whether calls hold more than their part while jobs have no place, and do not know yet."""
        return self.is_kept_from_jobs(rule, self.held(now), self.places(rule, process, now), now)

    def draw_ahead(self, rule: LimitRule, process: str, now: float, seconds: float) -> int:
        """Draw starts for a process to make within the next seconds; how many.

        Half of what that time brings, and of what there is: the others want some, too.
        """
        if rule.per_second is None:
            return 0
        count = min(self.starts(rule, now)[0], int(rule.per_second * seconds)) // 2
        self.draw(rule, count, now)
        part = self.part(process)
        part.ahead, part.ahead_until = count, now + seconds
        return count

    def share(self, wish: ShareWish, process: str, now: float) -> Share:
        """Let a process hold places and draw starts for calls, as far as there are."""
        rule, part = wish.limit, self.part(process)
        others, free = self.held(now, besides=process), NO_LIMIT
        if rule.in_flight is not None:
            free = rule.in_flight - part.running - self.places_of_others(process, now) - others
        share = self.grant(wish, free, others, now)
        part.held, part.held_until = share.slots, now + wish.lease_seconds if share.slots else 0.0
        return share

    def burst(self, rule: LimitRule, now: float) -> float:
        """How many starts may be saved up: what is drawn for later is, too."""
        ahead = sum(part.ahead for part in self.parts.values() if part.ahead_until > now)
        return rule.burst - ahead

    def _others(self, process: str) -> Iterator[Part]:
        return (part for name, part in self.parts.items() if name != process)


def to_key(name: str) -> dict[str, Any]:
    """Where a limit is."""
    return {"place": {"S": PLACE}, "key": {"S": name}}


PLACE = "#limits"


def to_image(name: str, use: Use) -> dict[str, Any]:
    """The item of a limit."""
    text = {name: getattr(use, name) for name in _TEXT}
    text["parts"] = {
        process: {name: value for name, value in asdict(part).items() if value}
        for process, part in use.parts.items()
    }
    image = {
        **to_key(name),
        "use": {"S": to_json(text).decode()},
        "stamp": {"N": str(use.stamp)},
    }
    if use.learned is not None:
        image["learned"] = {"B": use.learned}
    return image


_TEXT = ("started", "tokens", "filled", "calls_want", "jobs_want")


def to_use(image: Image | None) -> Use:
    """What an item says; nothing is in use where there is none."""
    if image is None:
        return Use()
    text = from_json(image["use"]["S"])
    parts = {process: Part(**part) for process, part in text.pop("parts").items()}
    learned = bytes(image["learned"]["B"]) if "learned" in image else None
    return Use(parts=parts, learned=learned, stamp=int(image["stamp"]["N"]), **text)

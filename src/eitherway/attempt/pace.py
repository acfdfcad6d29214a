"""The pace of an adaptive limit: starts per second, learnt from how the database takes them.

Additive increase, multiplicative decrease (Chiu and Jain, 1989), with a slow start as TCP has it
(RFC 5681, section 3.1): the first congestion ends it. Only a pace that is being used may grow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Self

from pydantic_core import from_json, to_json

FIRST_PER_SECOND = 10.0
_FLOOR_PER_SECOND = 0.5
_USED_PART = 0.7
_CUT_PART = 0.9
_SLOWER_PART = 0.8
_CUT_SECONDS = 0.5
"""After a cut, what was started before it still fails: that says nothing new."""

_EPISODE_SECONDS = 5.0
"""Cuts so close to one another are of one congestion: the way back is to where it began."""

_FEW = 4
"""So many attempts say nothing yet: a few that came together may be refused at any pace."""

_STEP_MIN = 0.5
_STEP_PART = 0.03
_RECOVERY = 1.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Observed:
    """What a process saw of a limit's attempts since it looked last."""

    seconds: float
    per_second: float  # starts of all processes
    ended: int  # attempts here
    refused: int  # of them, those that the database was too busy for
    slow: bool  # it took long, and refused nothing yet


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How many attempts may start in a second, and what that was learnt from. Times in seconds."""

    per_second: float = FIRST_PER_SECOND
    peak: float | None = None  # what went through when congestion was met; None: never yet
    cut_at: float = 0.0

    @classmethod
    def load(cls, learned: bytes | None) -> Self:
        """What `dump` made; the first pace of nothing."""
        return cls() if learned is None else cls(**from_json(learned))

    def dump(self) -> bytes:
        """For the store."""
        return to_json({"per_second": self.per_second, "peak": self.peak, "cut_at": self.cut_at})

    def after(self, seen: Observed, now: float, most: float | None = None) -> Self:
        """The pace to go on with; never above `most`."""
        if seen.refused or seen.slow:
            return self if 0 <= now - self.cut_at < _CUT_SECONDS else self._cut(seen, now)
        if not self._is_used(seen):
            return self
        grown = self._grown(min(seen.seconds, 1.0))
        return replace(self, per_second=grown if most is None else min(grown, most))

    def _cut(self, seen: Observed, now: float) -> Self:
        served, ended = min(self.per_second, seen.per_second), seen.ended
        if seen.refused:
            if not self._is_used(seen):  # as when little is left to do: what was seen is no pace
                served, ended = self.per_second, seen.ended + _FEW
            through = served * (1 - seen.refused / ended)
            lower = _CUT_PART * through
        else:
            through, lower = served, _SLOWER_PART * served
        same = self.peak is not None and 0 <= now - self.cut_at < _EPISODE_SECONDS
        peak = max(through, self.peak or 0.0) if same else through
        return replace(self, per_second=max(_FLOOR_PER_SECOND, lower), peak=peak, cut_at=now)

    def _is_used(self, seen: Observed) -> bool:
        return seen.per_second >= _USED_PART * self.per_second

    def _grown(self, seconds: float) -> float:
        if self.peak is None:
            return self.per_second * math.pow(2.0, seconds)
        if self.per_second < self.peak / 2:
            return self.per_second * math.pow(_RECOVERY, seconds)
        return self.per_second + max(_STEP_MIN, _STEP_PART * self.peak) * seconds


def learned_pace(learned: bytes | None) -> float | None:
    """The pace that is stored with a limit, for people."""
    return None if learned is None else round(Pace.load(learned).per_second, 2)

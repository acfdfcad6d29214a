"""The load: when each order is to be sent, from a real trace speeded up. Pure, and seeded."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

SPEEDUP = 60  # a minute of the trace is a second of the demo
_TRACE = Path(__file__).parent / "data" / "nasa_http_1995-07-13_per_second.csv"
_SEED = 1995


@dataclass(frozen=True)
class Workload:
    """Intended send times, in seconds from the start, and where they come from."""

    times: tuple[float, ...]
    first_minute: int  # of the trace's day
    minutes: int
    peak_per_second: int  # orders sent in the fullest second

    @property
    def window(self) -> str:
        """The part of the day that is replayed, as on a clock."""
        return f"{_clock(self.first_minute)} to {_clock(self.first_minute + self.minutes)}"

    @property
    def seconds(self) -> float:
        """How long the replay takes."""
        return self.minutes * 60 / SPEEDUP


def launch_day(minutes: int) -> Workload:
    """The minutes of the trace around its busiest one: one order for each request of that day."""
    counts = [int(line) for line in _TRACE.read_text().splitlines()[1:]]
    per_minute = [sum(counts[at : at + 60]) for at in range(0, len(counts), 60)]
    busiest = per_minute.index(max(per_minute))
    first = busiest - minutes // 2
    uniform = random.Random(_SEED).random  # noqa: S311 - a schedule, no secret
    times = sorted(
        (second + uniform()) / SPEEDUP
        for second, count in enumerate(counts[first * 60 : (first + minutes) * 60])
        for _ in range(count)
    )
    return Workload(tuple(times), first, minutes, max(per_minute[first : first + minutes]))


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"

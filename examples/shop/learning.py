"""A database that takes only so much, and what was learnt about it."""

from __future__ import annotations

import time

from eitherway import Throttled
from eitherway.attempt.pace import FIRST_PER_SECOND, Pace
from eitherway.attempt.runtime import Runtime
from eitherway.engine.limits import Lesson

PER_SECOND_MAX = 400
_SAVED_SECONDS = 0.25


class Database:
    """Takes so many orders a second, and refuses the rest."""

    def __init__(self) -> None:
        self._tokens = 0.0
        self._filled = time.monotonic()

    def take(self, per_second: float) -> None:
        """Take one more. `Throttled` where that is too much."""
        now = time.monotonic()
        gained = (now - self._filled) * per_second
        self._tokens = min(per_second * _SAVED_SECONDS, self._tokens + gained)
        self._filled = now
        if self._tokens < 1:
            raise Throttled
        self._tokens -= 1


async def begin_at(runtime: Runtime, limit: str, per_second: float | None) -> None:
    """Go on with this pace; without one learn it anew."""
    (use,) = await runtime.engine.limits([limit])
    pace = Pace(per_second=per_second or FIRST_PER_SECOND, peak=per_second)
    await runtime.engine.learn([Lesson(limit=limit, seen=use.learned, learned=pace.dump())])
    runtime.limiter.learn(limit, pace.per_second)


async def pace_of(runtime: Runtime, limit: str) -> float:
    """Starts per second, as learnt so far."""
    (use,) = await runtime.engine.limits([limit])
    return round(Pace.load(use.learned).per_second, 1)

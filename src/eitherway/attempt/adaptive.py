"""Adaptive limits: every process tells what it saw, one of them moves the pace, all keep to it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from ..clock import Clock
from ..congestion import busy
from ..ended import Ended
from ..engine.contract import Engine
from ..engine.limits import Lesson, LimitUse
from ..errors import EngineError
from ..job import Outcome
from ..operation import Operation
from ..spending import Spending, current_spending
from .limits import Limiter
from .pace import Observed, Pace

logger = logging.getLogger("eitherway.limits")

_LOOK_SECONDS = 0.25
_SLOW_TIMES = 3.0
_SLOW_SECONDS = 0.02
_WAIT_SECONDS = 0.05
_FORGET_PART = 1.02
"""What counts as a usual call grows with each look, so that one quick minute is not for ever."""


@dataclass(slots=True)
class _Seen:
    """What this process has seen of one limit since it looked last."""

    at: float
    started: int  # by all processes, at that time
    ended: int = 0
    refused: int = 0
    calls: int = 0
    seconds: float = 0.0
    waits: int = 0
    wait_seconds: float = 0.0
    usual_seconds: float | None = None  # of a database call when nothing is in the way

    def note(self, *, refused: bool, spent: Spending) -> None:
        """An attempt has ended."""
        self.ended += 1
        self.refused += refused
        self.calls += spent.calls
        self.seconds += spent.seconds
        self.waits += spent.waits
        self.wait_seconds += spent.wait_seconds

    def observed(self, now: float, started: int) -> Observed:
        """All of it, measured against what all processes started."""
        seconds = max(1e-3, now - self.at)
        return Observed(
            seconds=seconds,
            per_second=max(0, started - self.started) / seconds,
            ended=self.ended,
            refused=self.refused,
            slow=self._is_slow(),
        )

    def next(self, now: float, started: int) -> _Seen:
        """Begin anew, with what is known of a usual call."""
        return _Seen(at=now, started=started, usual_seconds=self._usual())

    def _mean(self) -> float | None:
        return self.seconds / self.calls if self.calls else None

    def _usual(self) -> float | None:
        known = [x for x in (self._mean(), self.usual_seconds) if x is not None]
        return min(known) * _FORGET_PART if known else None

    def _is_slow(self) -> bool:
        if self.waits and self.wait_seconds / self.waits > _WAIT_SECONDS:
            return True
        mean, usual = self._mean(), self.usual_seconds
        if mean is None or usual is None:
            return False
        return mean > max(_SLOW_TIMES * usual, usual + _SLOW_SECONDS)


class Watch:
    """An attempt under way: what it spends in databases, and how it ended."""

    def ended(self, ended: Ended) -> None:
        """It has committed, as this."""

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None: ...


class _Seeing(Watch):
    """One whose limits learn."""

    def __init__(self, note: Callable[[Ended, Spending], None]) -> None:
        self._note = note
        self._spent = Spending()

    def ended(self, ended: Ended) -> None:
        """It has, and what it spent is known."""
        self._note(ended, self._spent)

    def __enter__(self) -> Watch:
        self._token = current_spending.set(self._spent)
        return self

    def __exit__(self, *_: object) -> None:
        current_spending.reset(self._token)


UNSEEN = Watch()
"""Of an operation whose limits do not learn."""


class Teacher:
    """Learns the pace of adaptive limits from attempts, through either door."""

    def __init__(
        self, operations: Sequence[Operation], limiter: Limiter, engine: Engine, clock: Clock
    ) -> None:
        self._limiter = limiter
        self._engine = engine
        self._clock = clock
        self._ceilings = {limit.label: limit.per_second for limit in limiter.adaptive}
        self._labels: Mapping[str, list[str]] = {
            operation.name: [
                label for label in limiter.labels(operation) if label in self._ceilings
            ]
            for operation in operations
        }
        self._seen: dict[str, _Seen] = {}
        self._looking: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Keep to what was learnt before."""
        if self._ceilings:
            for use in await self._engine.limits(list(self._ceilings)):
                self._limiter.learn(use.name, self._pace(use).per_second)
                self._seen[use.name] = _Seen(self._clock.monotonic(), use.started)

    def watching(self, operation: Operation) -> Watch:
        """See what is done in a block, and, told after it, how it `ended`. Next to free else."""
        labels = self._labels[operation.name]
        return _Seeing(partial(self._note, labels)) if labels else UNSEEN

    def _note(self, labels: Sequence[str], ended: Ended, spent: Spending) -> None:
        refused = ended.outcome is Outcome.THROTTLED or (
            ended.error is not None and busy(ended.error)
        )
        for label in labels:
            self._seen[label].note(refused=refused, spent=spent)
        now = self._clock.monotonic()
        if self._looking is None and now - self._seen[labels[0]].at >= _LOOK_SECONDS:
            self._looking = asyncio.ensure_future(self._look())
            self._looking.add_done_callback(self._looked)

    async def close(self) -> None:
        """Look no more."""
        if self._looking is not None:
            self._looking.cancel()

    def _looked(self, _: object) -> None:
        self._looking = None

    async def _look(self) -> None:
        try:
            for use in await self._engine.limits(list(self._ceilings)):
                await self._learn(use)
        except EngineError as error:
            logger.warning("cannot learn the pace of limits: %s", error)

    async def _learn(self, use: LimitUse) -> None:
        now, seen = self._clock.monotonic(), self._seen[use.name]
        before, observed = self._pace(use), seen.observed(now, use.started)
        pace = before.after(observed, self._clock.now(), self._ceilings[use.name])
        self._seen[use.name] = seen.next(now, use.started)
        if pace != before:
            lesson = Lesson(limit=use.name, seen=use.learned, learned=pace.dump())
            (learnt,) = await self._engine.learn([lesson])
            if not learnt:  # another process was faster: its pace is seen at the next look
                return
            if pace.cut_at != before.cut_at:
                logger.info(
                    "limit %s: %.1f a second was too much, going on with %.1f",
                    use.name, before.per_second, pace.per_second,
                )  # fmt: skip
        self._limiter.learn(use.name, pace.per_second)

    def _pace(self, use: LimitUse) -> Pace:
        pace, most = Pace.load(use.learned), self._ceilings[use.name]
        if use.learned is None and most is not None and most < pace.per_second:
            return Pace(per_second=most)
        return pace

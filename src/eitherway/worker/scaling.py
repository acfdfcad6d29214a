"""How many workers there should be: more while jobs wait too long, fewer when nothing is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..engine.values import OperationStatistics
from ..errors import ConfigurationError
from ..job import WAITING, JobState

_IN_USE = (*WAITING, JobState.RUNNING)


@dataclass(frozen=True, kw_only=True)
class Load:
    """What there is to do: jobs that wait or run, and since when the oldest could have run."""

    jobs: int
    oldest_due: float | None

    @classmethod
    def of(cls, statistics: Sequence[OperationStatistics]) -> Load:
        """The load of all operations that are not paused."""
        active = [one for one in statistics if not one.paused]
        return cls(
            jobs=sum(one.counts.get(state, 0) for one in active for state in _IN_USE),
            oldest_due=min(
                (o.oldest_due for o in active if o.oldest_due is not None), default=None
            ),
        )


class Scaling:
    """Decides, look by look, whether to add a worker or to drain one.

    One is added when the oldest waiting job is older than `target_seconds`, at most one each
    `target_seconds`; one is drained when there has been nothing to do for `idle_seconds`.
    """

    def __init__(
        self, least: int, most: int, *, target_seconds: float = 2.0, idle_seconds: float = 10.0
    ) -> None:
        self.least = least
        self.most = most
        self._target_seconds = target_seconds
        self._idle_seconds = idle_seconds
        self._changed = 0.0
        self._idle_since: float | None = None

    @classmethod
    def parse(cls, text: str) -> Scaling:
        """Of `2`, or of `1:4` for at least and at most. `ConfigurationError`."""
        least, separator, most = text.partition(":")
        try:
            bounds = int(least), int(most if separator else least)
        except ValueError:
            bounds = (0, 0)
        if not 1 <= bounds[0] <= bounds[1]:
            raise ConfigurationError(f"--workers {text!r}: give a number, or MIN:MAX such as 1:4")
        return cls(*bounds)

    def wanted(self, workers: int, load: Load, now: float) -> int:
        """How many workers there should be now, at most one more or fewer than there are."""
        if load.jobs:
            self._idle_since = None
        elif self._idle_since is None:
            self._idle_since = now
        age = 0.0 if load.oldest_due is None else now - load.oldest_due
        if age > self._target_seconds and now - self._changed >= self._target_seconds:
            return self._change(workers, min(workers + 1, self.most), now)
        if self._idle_since is not None and now - self._idle_since >= self._idle_seconds:
            self._idle_since = now
            return self._change(workers, max(workers - 1, self.least), now)
        return workers

    def _change(self, workers: int, wanted: int, now: float) -> int:
        if wanted != workers:
            self._changed = now
        return wanted

"""What one process counts and times: plain numbers, made text elsewhere (`exposition`).

One process has one event loop, which alone writes here: so there is no lock, and a request pays
for a dictionary look-up and two additions.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

from ..engine.values import OperationStatistics

REQUEST_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Buckets of `http.server.request.duration`, in seconds (OpenTelemetry, HTTP metrics)."""
PROCESS_BOUNDS = (*REQUEST_BOUNDS, 30.0, 60.0, 300.0)

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Counter:
    """Goes up."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0

    def add(self, count: int = 1) -> None:
        """Count some more."""
        self.value += count


class Histogram:
    """Durations, in buckets."""

    __slots__ = ("_bounds", "_counts", "sum_seconds")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.sum_seconds = 0.0

    def observe(self, seconds: float) -> None:
        """Add one duration."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self.sum_seconds += seconds

    def buckets(self) -> Iterable[tuple[str, int]]:
        """Each upper bound, and how many were at most that long."""
        bounds = [*(str(bound) for bound in self._bounds), "+Inf"]
        return zip(bounds, accumulate(self._counts), strict=True)


class Metrics:
    """This process's figures, by labels of which there are few: never an id."""

    def __init__(self) -> None:
        self.requests: dict[tuple[str, str, int], Histogram] = {}  # method, route, status
        self.attempts: dict[tuple[str, str], Histogram] = {}  # operation, outcome
        self.accepted: dict[str, Counter] = {}  # by operation
        self.refused: dict[str, Counter] = {}  # by the problem's name
        self.died: dict[str, Counter] = {}  # by operation, as far as statistics showed it
        self._dead: dict[str, int] = {}

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """An HTTP request has been answered."""
        self.durations(method, route, status).observe(seconds)

    def durations(self, method: str, route: str, status: int) -> Histogram:
        """Of such requests. To be kept at hand."""
        histogram = self.requests.get((method, route, status))
        if histogram is None:
            if method not in _METHODS:  # anybody can make one up
                method = "_OTHER"
            histogram = self.requests.setdefault((method, route, status), Histogram(REQUEST_BOUNDS))
        return histogram

    def attempt(self, operation: str, outcome: str, seconds: float) -> None:
        """An attempt of a queued job has ended here."""
        histogram = self.attempts.get((operation, outcome))
        if histogram is None:
            histogram = self.attempts[operation, outcome] = Histogram(PROCESS_BOUNDS)
        histogram.observe(seconds)

    def accepts(self, operation: str) -> Counter:
        """Counts the jobs accepted of an operation. To be kept at hand."""
        return self.accepted.setdefault(operation, Counter())

    def refuse(self, problem: str) -> None:
        """A request has been turned away before it was run or stored."""
        self.refused.setdefault(problem, Counter()).add()

    def begin(self, statistics: Sequence[OperationStatistics]) -> None:
        """Dead letters that were there before this process are not news."""
        self._dead = {one.operation: one.dead for one in statistics}

    def see(self, statistics: Sequence[OperationStatistics]) -> Mapping[str, Counter]:
        """Count the dead letters that were not there the last time, and take none back."""
        for one in statistics:
            counter = self.died.setdefault(one.operation, Counter())
            counter.add(max(0, one.dead - self._dead.get(one.operation, 0)))
            self._dead[one.operation] = one.dead
        return self.died

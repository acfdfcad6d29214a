"""`/metrics`: this process's figures and those of the whole store, as Prometheus reads them."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from prometheus_client import ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from ..clock import Clock
from ..engine.contract import Engine
from ..engine.limits import LimitUse
from ..engine.values import OperationStatistics
from ..errors import EngineError
from ..job import WAITING, JobState
from .metrics import Histogram, Metrics
from .pace import learned_pace

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class Exposition:
    """Writes the figures out, those of the store as they are at that moment."""

    def __init__(self, metrics: Metrics, engine: Engine, clock: Clock) -> None:
        self._metrics = metrics
        self._engine = engine
        self._clock = clock
        self._process = ProcessCollector(registry=None)

    async def text(self, accept: str) -> tuple[bytes, str]:
        """The figures and their media type: OpenMetrics where `Accept` names it."""
        statistics: Sequence[OperationStatistics] | None
        limits: Sequence[LimitUse] = ()
        try:
            statistics = await self._engine.statistics()
            limits = await self._engine.limits()
        except EngineError:
            statistics = None  # of the process there is still something to say
        families = [
            *self._of_process(),
            *self._of_store(statistics),
            *limit_families(limits),
            *self._process.collect(),
        ]
        if "application/openmetrics-text" in accept:
            return _openmetrics(_Collected(families)), OPENMETRICS
        return generate_latest(_Collected(families)), TEXT

    def _of_process(self) -> Iterator[Metric]:
        yield _gauge(
            "eitherway_build_info",
            "The version of eitherway and of Python that runs here.",
            {"version": version("eitherway"), "python": platform.python_version()},
            1,
        )
        yield _histogram(
            "http_server_request_duration_seconds",
            "Time from a request's head to the end of its answer.",
            ("http_request_method", "http_route", "http_response_status_code"),
            self._metrics.requests,
        )
        yield _histogram(
            "messaging_process_duration_seconds",
            "Time from the start of a queued attempt to its settlement.",
            ("operation", "outcome"),
            self._metrics.attempts,
        )
        accepted = CounterMetricFamily(
            "eitherway_jobs_accepted", "Jobs accepted over HTTP.", labels=["operation"]
        )
        for operation, counter in self._metrics.accepted.items():
            accepted.add_metric([operation], counter.value)
        refused = CounterMetricFamily(
            "eitherway_requests_refused",
            "Requests turned away before anything of them was run or stored.",
            labels=["problem"],
        )
        for problem, counter in self._metrics.refused.items():
            refused.add_metric([problem], counter.value)
        yield accepted
        yield refused

    def _of_store(self, statistics: Sequence[OperationStatistics] | None) -> Iterator[Metric]:
        yield _gauge(
            "eitherway_store_up", "Whether the store answered.", {}, int(statistics is not None)
        )
        if statistics is None:
            return
        died = CounterMetricFamily(
            "eitherway_dead_letters",
            "Dead letters that came into the store since this process started: every increase from "
            "one look at the store to the next. Purging and redriving take nothing away.",
            labels=["operation"],
        )
        for operation, counter in self._metrics.see(statistics).items():
            died.add_metric([operation], counter.value)
        yield died
        yield from _gauges(statistics, self._clock.now())


def _openmetrics(collected: Collector) -> bytes:
    text: bytes = openmetrics.generate_latest(collected)  # type: ignore[no-untyped-call]  # it is theirs
    return text


class _Collected(Collector):
    """Families that are there already: statistics have to be awaited before."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Sequence[Metric]:
        return self._families


def _gauges(statistics: Sequence[OperationStatistics], now: float) -> Iterator[Metric]:
    """The store's state, by operation."""
    labels = ["operation"]
    depth = GaugeMetricFamily(
        "eitherway_queue_depth", "Jobs that wait: scheduled, queued or retrying.", labels=labels
    )
    age = GaugeMetricFamily(
        "eitherway_queue_oldest_message_age_seconds",
        "For how long the oldest waiting job could have run; 0 where none could.",
        labels=labels,
    )
    dead = GaugeMetricFamily(
        "eitherway_dead_letters_stored", "Dead letters in the store now.", labels=labels
    )
    paused = GaugeMetricFamily(
        "eitherway_operation_paused", "1 while an operator has paused it.", labels=labels
    )
    jobs = GaugeMetricFamily(
        "eitherway_jobs_stored", "Job records in the store now.", labels=["operation", "state"]
    )
    for one in statistics:
        name = [one.operation]
        depth.add_metric(name, sum(one.counts.get(state, 0) for state in WAITING))
        age.add_metric(name, max(0.0, now - one.oldest_due) if one.oldest_due is not None else 0.0)
        dead.add_metric(name, one.dead)
        paused.add_metric(name, int(one.paused))
        for state in JobState:
            jobs.add_metric([one.operation, state.value], one.counts.get(state, 0))
    yield from (depth, age, dead, paused, jobs)


def limit_families(limits: Sequence[LimitUse]) -> Iterator[Metric]:
    """What is in use of limits, over all processes."""
    labels = ["limit"]
    running = GaugeMetricFamily(
        "eitherway_limit_running", "Attempts under a lease that count against it.", labels=labels
    )
    held = GaugeMetricFamily(
        "eitherway_limit_held", "Places that processes hold of it for direct calls.", labels=labels
    )
    starts = CounterMetricFamily(
        "eitherway_limit_starts", "Attempts and calls that it let start.", labels=labels
    )
    learned = GaugeMetricFamily(
        "eitherway_limit_learned_starts_per_second",
        "The pace that was learnt of an adaptive limit.",
        labels=labels,
    )
    for use in limits:
        running.add_metric([use.name], use.running)
        held.add_metric([use.name], use.held)
        starts.add_metric([use.name], use.started)
        pace = learned_pace(use.learned)
        if pace is not None:
            learned.add_metric([use.name], pace)
    yield from (running, held, starts, learned)


def _gauge(name: str, text: str, labels: dict[str, str], value: float) -> Metric:
    family = GaugeMetricFamily(name, text, labels=list(labels))
    family.add_metric(list(labels.values()), value)
    return family


def _histogram(
    name: str, text: str, labels: Sequence[str], children: Mapping[Any, Histogram]
) -> Metric:
    family = HistogramMetricFamily(name, text, labels=list(labels))
    for values, histogram in children.items():
        family.add_metric(
            [str(value) for value in values],
            buckets=list(histogram.buckets()),
            sum_value=histogram.sum_seconds,
        )
    return family

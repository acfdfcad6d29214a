"""`/metrics`: the figures of a process and of its store, as Prometheus reads them."""

import re
from collections.abc import Sequence

import pytest
from operated import Order, kill, make_app
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from eitherway import App, Limit
from eitherway.attempt.metrics import Histogram, Metrics
from eitherway.attempt.pace import Pace
from eitherway.engine.limits import Lesson
from eitherway.engine.values import OperationStatistics
from eitherway.errors import EngineUnavailableError
from eitherway.testing import TestApp

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


async def scrape(test_app, accept="text/plain"):
    response = await test_app.request("GET", "/metrics", headers={"accept": accept})
    assert response.status == 200
    return response


async def samples(test_app):
    text = (await scrape(test_app)).body.decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in read_text(text)
        for sample in family.samples
    }


def of(found, name, **labels):
    return found[name, tuple(sorted(labels.items()))]


async def test_the_store_is_shown_by_operation():
    """What waits, since when, what is dead, what is paused."""
    app, _, place, _ = make_app()
    async with TestApp(app) as test_app:
        await kill(test_app, place, ["1", "2"])
        await test_app.runtime.engine.pause(["place"], paused=True)
        await test_app.enqueue(place, Order(key="3", amount=1))
        await test_app.advance(9)
        found = await samples(test_app)
    assert of(found, "eitherway_queue_depth", operation="place") == 1
    age = of(found, "eitherway_queue_oldest_message_age_seconds", operation="place")
    assert age == pytest.approx(9)
    assert of(found, "eitherway_dead_letters_total", operation="place") == 2
    assert of(found, "eitherway_dead_letters_stored", operation="place") == 2
    assert of(found, "eitherway_jobs_stored", operation="place", state="failed") == 2
    assert of(found, "eitherway_operation_paused", operation="place") == 1
    assert of(found, "eitherway_store_up") == 1
    assert any(name == "eitherway_build_info" for name, _ in found)


async def test_limits_are_shown_by_their_labels():
    """What runs, what is held for calls, what was started and what was learnt."""
    app = App("limited")

    @app.post("/work", limit=[Limit("db", in_flight=4), Limit("pace", adaptive=True)])
    async def work() -> None: ...

    async with TestApp(app) as test_app:
        assert (await test_app.request("POST", "/work")).status == 200
        lesson = Lesson(limit="pace", seen=None, learned=Pace(per_second=12.5).dump())
        assert await test_app.runtime.engine.learn([lesson]) == [True]
        found = await samples(test_app)
    assert of(found, "eitherway_limit_held", limit="db") == 1
    assert of(found, "eitherway_limit_running", limit="db") == 0
    assert of(found, "eitherway_limit_starts_total", limit="pace") == 1
    assert of(found, "eitherway_limit_learned_starts_per_second", limit="pace") == 12.5
    assert ("eitherway_limit_learned_starts_per_second", (("limit", "db"),)) not in found


async def test_requests_and_attempts_are_timed_by_few_labels():
    """Route templates, statuses and outcomes; never an id, whoever makes one up."""
    app, switch, *_ = make_app()
    switch.broken = False
    async with TestApp(app) as test_app:
        good = {"key": "1", "amount": 1}
        for body in (good, good, {"key": "1"}, {"key": "r", "amount": -1}):
            await test_app.request("POST", "/orders", json=body)
        await test_app.request("GET", "/jobs/0123456789abcdef")
        await test_app.request("GET", "/nowhere/0123456789abcdef")
        await test_app.request("BREW", "/orders")
        await test_app.drain()
        text = (await scrape(test_app)).body.decode()
        found = await samples(test_app)
    count = "http_server_request_duration_seconds_count"

    def requests(method, route, status):
        labels = {"http_request_method": method, "http_route": route}
        return of(found, count, **labels, http_response_status_code=str(status))

    assert requests("POST", "/orders", 202) == 3
    assert requests("POST", "/orders", 422) == 1
    assert requests("GET", "/jobs/{id}", 404) == 1
    assert requests("GET", "", 404) == 1
    assert requests("_OTHER", "/orders", 405) == 1
    processed = "messaging_process_duration_seconds_count"
    assert of(found, processed, operation="place", outcome="succeeded") == 2
    assert of(found, processed, operation="place", outcome="rejected") == 1
    assert of(found, "eitherway_jobs_accepted_total", operation="place") == 3
    assert of(found, "eitherway_requests_refused_total", problem="invalid-input") == 1
    assert "0123456789abcdef" not in text
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-7", text)


async def test_openmetrics_is_given_to_those_who_ask_for_it():
    """With its exact media type and its last line."""
    app, _, place, _ = make_app()
    async with TestApp(app) as test_app:
        await kill(test_app, place, ["1"])
        response = await scrape(test_app, f"{OPENMETRICS};q=0.9,text/plain;q=0.1")
        plain = await scrape(test_app)
    assert response.headers["content-type"] == OPENMETRICS
    assert response.body.endswith(b"# EOF\n")
    assert len(list(read_openmetrics(response.body.decode()))) > 8
    assert plain.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


async def test_without_its_store_a_process_still_tells_of_itself(monkeypatch):
    """And says that the store does not answer."""
    app, *_ = make_app()

    async def away():
        raise EngineUnavailableError("away")

    async with TestApp(app) as test_app:
        monkeypatch.setattr(test_app.runtime.engine, "statistics", away)
        found = await samples(test_app)
    assert of(found, "eitherway_store_up") == 0
    assert not any(name == "eitherway_queue_depth" for name, _ in found)


def test_dead_letters_are_counted_as_they_come_and_never_taken_back():
    """Not those that were there before; every increase from one look to the next."""
    metrics = Metrics()
    metrics.begin(statistics(2))
    for dead, total in ((2, 0), (5, 3), (1, 3), (3, 5)):
        assert metrics.see(statistics(dead))["place"].value == total


def statistics(dead: int) -> Sequence[OperationStatistics]:
    return [
        OperationStatistics(operation="place", counts={}, dead=dead, oldest_due=None, paused=False)
    ]


def test_a_histogram_is_cumulative():
    """A duration equal to a bound is within it."""
    histogram = Histogram((1.0, 2.0))
    for seconds in (0.5, 1.0, 1.5, 7.0):
        histogram.observe(seconds)
    assert list(histogram.buckets()) == [("1.0", 2), ("2.0", 3), ("+Inf", 4)]
    assert histogram.sum_seconds == 10.0

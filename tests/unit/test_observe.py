"""Log lines for requests and attempts, and what ready means."""

import io
import json
import logging

import pytest
from operated import Order, make_app

from eitherway.cli.logs import JsonFormatter
from eitherway.settings import Settings
from eitherway.testing import TestApp
from eitherway.trace import starting

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.fixture
def lines():
    """What eitherway logs at info, as JSON lines."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("eitherway")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    logger.removeHandler(handler)
    logger.setLevel(level)


async def test_a_request_and_its_attempt_are_a_line_each_of_one_trace(lines):
    """With the job, the operation, the attempt, the outcome and the duration."""
    app, switch, *_ = make_app()
    switch.broken = False
    async with TestApp(app, settings=Settings(access_log=True)) as test_app:
        response = await test_app.request(
            "POST", "/orders", json={"key": "1", "amount": 1}, headers={"traceparent": PARENT}
        )
        await test_app.drain()
    job_id = response.json()["id"]
    request, attempt = lines()
    assert (request["logger"], attempt["logger"]) == ("eitherway.request", "eitherway.attempt")
    assert (request["method"], request["route"], request["status"]) == ("POST", "/orders", 202)
    assert (attempt["attempt"], attempt["outcome"], attempt["status"]) == (
        1,
        "succeeded",
        "succeeded",
    )
    for line in (request, attempt):
        assert (line["job"], line["operation"], line["trace"]) == (job_id, "place", TRACE)
        assert len(line["span"]) == 16
        assert line["seconds"] >= 0
        assert line["time"].endswith("Z")


async def test_lines_of_a_trace_that_starts_here_name_it(lines):
    """Of the request, and of each of its attempts, each another span."""
    app, *_ = make_app()
    async with TestApp(app, settings=Settings(access_log=True)) as test_app:
        response = await test_app.request("POST", "/orders", json={"key": "1", "amount": 1})
        for _ in range(2):
            await test_app.drain()
            await test_app.advance(5)
    logged = [
        line for line in lines() if line["logger"] in ("eitherway.request", "eitherway.attempt")
    ]
    assert len(logged) == 3
    assert {line["trace"] for line in logged} == {starting(response.json()["id"], None)[3:35]}
    assert len({line["span"] for line in logged}) == 3


async def test_requests_are_not_logged_unless_wished(lines):
    """They cost a quarter of the accepts a second."""
    app, *_ = make_app()
    async with TestApp(app) as test_app:
        await test_app.request("POST", "/orders", json={"key": "1", "amount": 1})
    assert lines() == []


async def test_an_exception_is_within_its_line(lines):
    """A program reads one object a line, whatever happened."""
    app, _, place, _ = make_app()
    async with TestApp(app) as test_app:
        await test_app.enqueue(place, Order(key="1", amount=1))
        await test_app.drain()
    failed, attempt = lines()
    assert "ConnectionError" in failed["exception"]
    assert (attempt["outcome"], attempt["status"]) == ("error", "retrying")


async def test_ready_means_that_the_worker_turns():
    """A process whose worker has not looked for jobs for a minute is not ready."""
    app, *_ = make_app()
    async with TestApp(app) as test_app:
        assert (await test_app.request("GET", "/readyz")).status == 200
        test_app.runtime.turned = test_app.clock.monotonic()
        await test_app.advance(30)
        assert (await test_app.request("GET", "/readyz")).status == 200
        await test_app.advance(40)
        response = await test_app.request("GET", "/readyz")
        assert response.status == 503
        assert "worker" in response.json()["detail"]
        assert (await test_app.request("GET", "/livez")).status == 200

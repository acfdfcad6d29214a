"""What the engine asks of DynamoDB for an operation is what `aws build` reckons with."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from aws_examples import shop
from metered import Meter
from recorded import Context, message, rest_request

from aws import REGION, moto
from eitherway.aws import cost
from eitherway.lambdas import http, queue, sweeper
from eitherway.lambdas.environment import Environment, Invocation
from eitherway.settings import Settings
from eitherway.testing import FakeClock

pytestmark = pytest.mark.slow  # moto takes its time to start
Units = dict[str, int]


class Tried:
    """The shop's functions, in one environment, and what their invocations ask for."""

    def __init__(self) -> None:
        app = shop()
        self.clock = FakeClock(time.time() + 60)  # all that is sent has been
        self._environment = Environment(serving=True, app=app)
        self._meter = Meter("shop")
        self._environment._runner.run(app.open(Settings(), clock=self.clock))

    def run(self, work: Callable[[Invocation], Awaitable[Any]]) -> Any:
        return self._environment.run(Context(30), work)

    def asked(self, work: Callable[[Invocation], Awaitable[Any]]) -> tuple[Any, Units]:
        with self._meter.running() as units:
            result = self.run(work)
        return result, dict(units)

    def close(self) -> None:
        self._environment.close()


@pytest.fixture(scope="module")
def tried() -> Iterator[Tried]:
    with moto() as environment, pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setenv("EITHERWAY_ENGINE", f"aws://{REGION}/shop")
        tried = Tried()
        yield tried
        tried.close()


def order(number: int) -> dict[str, Any]:
    return {"order_id": f"o-{number}", "amount": 1}


def call(path: str) -> Callable[[Invocation], Awaitable[Any]]:
    event = rest_request("POST", path, body=order(1))

    async def work(invocation: Invocation) -> Any:
        return await http.answer(invocation.app, event, 20)

    return work


def batch(*records: Any) -> Callable[[Invocation], Awaitable[Any]]:
    async def work(invocation: Invocation) -> Any:
        return await queue.run_batch(records, invocation)

    return work


def test_a_call_writes_its_item_and_draws_from_its_limit(tried: Tried) -> None:
    answered, asked = tried.asked(call("/orders/direct"))
    assert answered["statusCode"] == 200
    assert asked["writes of items"] == 1 + cost.LIMITED
    assert "writes of jobs" not in asked


@pytest.mark.parametrize("size", [1, 4])
def test_what_nobody_stored_is_put_by_who_takes_it(tried: Tried, size: int) -> None:
    records = [message(f"size-{size}-{n}", "place_order", order(n)) for n in range(size)]
    result, asked = tried.asked(batch(*records))
    assert result == {"batchItemFailures": []}
    assert asked["writes of jobs"] == size * (cost.TAKEN_UNSTORED + cost.SETTLED)
    assert asked["writes of items"] == size * 2 + cost.LIMITED + cost.COUNTED


def test_what_was_stored_is_taken_and_settled(tried: Tried) -> None:
    answered, asked = tried.asked(call("/orders"))
    assert answered["statusCode"] == 202
    assert (asked["writes of jobs"], asked["writes of items"]) == (cost.STORED, 1)
    hint = message("hint", "place_order", None)
    job_id = json.loads(answered["body"])["id"]
    hint["messageAttributes"]["job"] = {"stringValue": job_id, "dataType": "String"}
    _, asked = tried.asked(batch(hint))
    assert asked["writes of jobs"] == cost.TAKEN + cost.SETTLED


def test_what_has_ended_is_forgotten_in_two_steps(tried: Tried) -> None:
    settings = Settings()
    tried.asked(batch(*(message(f"gone-{n}", "place_order", order(n)) for n in range(2))))
    tried.clock.set_by(settings.retention_seconds + 1)
    swept, buried = tried.asked(sweeper.sweep)
    tried.clock.set_by(settings.tombstone_seconds + 1)
    _, deleted = tried.asked(sweeper.sweep)
    assert swept["purged"] >= 2
    both = buried["writes of jobs"] + deleted["writes of jobs"]
    assert both == cost.FORGOTTEN * swept["purged"]

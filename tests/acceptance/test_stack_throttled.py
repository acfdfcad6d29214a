"""A DynamoDB that throttles: nothing is lost, nothing is done twice, and nothing of it counts."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stacks import Microburst, MiniStack, Stack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

APPS = Path(__file__).parents[1] / "ministack"


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, Microburst]]:
    """A stack whose functions reach AWS through the proxy."""
    with (
        MiniStack(tmp_path_factory.mktemp("ministack")) as server,
        Microburst(server) as proxy,
        Stack(
            server, APPS, "ledger:app", visibility_seconds=3, environment=proxy.environment
        ) as stack,
    ):
        yield stack, proxy


def test_throttled_writes_lose_nothing_and_do_not_count(
    proxied: tuple[Stack, Microburst],
) -> None:
    stack, proxy = proxied
    with proxy.throttling("PutItem", "TransactWriteItems", "BatchGetItem", probability=0.2):
        answered = [stack.http.post("/adds", json={"name": "throttled"}) for _ in range(10)]
        links = [one.json()["links"]["self"] for one in answered]
        for link in links[:5]:
            _ended(stack, link)
    documents = [stack.job(link, within_seconds=120, sweeping=True) for link in links]
    assert proxy.fired() > 5
    assert [document["status"] for document in documents] == ["succeeded"] * 10
    assert {document["attempt"] for document in documents} == {1}
    assert stack.http.get("/sums/throttled").json()["total"] == 10


def test_a_batch_of_which_nothing_can_be_taken_fails_as_a_whole(
    proxied: tuple[Stack, Microburst],
) -> None:
    stack, proxy = proxied
    now = f"{time.time() * 1000:.0f}"
    attributes = {"operation": "add", "version": "1"}
    record = {
        "messageId": "6d7e2b1c-0000-4000-8000-000000000009",
        "receiptHandle": "receipt",
        "body": json.dumps({"name": "whole"}),
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": now},
        "messageAttributes": {
            name: {"stringValue": value, "dataType": "String"} for name, value in attributes.items()
        },
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:ledger_add",
    }
    event = json.dumps({"Records": [record]}).encode()
    worker = stack.resources["AddWorker"]
    with proxy.throttling("BatchGetItem", probability=1.0):
        failed = stack.functions.invoke(FunctionName=worker, Payload=event)
        assert failed.get("FunctionError"), failed["Payload"].read()
    taken = stack.functions.invoke(FunctionName=worker, Payload=event)
    assert json.loads(taken["Payload"].read()) == {"batchItemFailures": []}
    assert stack.http.get("/sums/whole").json()["total"] == 1


def _ended(stack: Stack, link: str) -> None:
    """Wait for a job while reads of it may be refused, too."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        answered = stack.http.get(stack.path_of(link))
        if answered.status_code == 200 and answered.json()["done"]:
            return
        assert answered.status_code in (200, 503), answered.text
        stack.functions.invoke(FunctionName=stack.resources["Sweeper"], Payload=b"{}")
    raise AssertionError(stack.logs())

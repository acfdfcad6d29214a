"""The function behind a queue, in a process of its own as Lambda has it, on moto."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from recorded import message

from aws import REGION, moto
from eitherway import App
from eitherway.lambdas.messages import received
from eitherway.testing import TestApp

HERE = Path(__file__).parent
HEAVY = {"starlette", "uvicorn", "typer", "rich", "prometheus_client", "websockets"}
"""What serves, or is for people: a cold start without it is shorter."""

SCRIPT = """
import json, sys, time
from function_app import app, loops
from recorded import Context
from eitherway.lambdas import queue

began = time.monotonic()
results = [
    queue.handler({"Records": records}, Context(seconds))
    for records, seconds in json.loads(sys.stdin.read())
]

async def look(invocation):
    return await invocation.runtime.engine.get(sys.argv[1:])

jobs = queue._environment.run(Context(5), look)
print(json.dumps({
    "results": results,
    "seconds": time.monotonic() - began,
    "loops": len(loops),
    "modules": sorted({name.partition(".")[0] for name in sys.modules}),
    "jobs": [job and {
        "state": job.state,
        "kind": job.kind,
        "attempt": job.attempt,
        "outcomes": [one.outcome for one in job.attempts],
        "answer": job.answer and job.answer.body.decode(),
    } for job in jobs],
}))
"""


@pytest.fixture(scope="module")
def aws() -> Iterator[dict[str, str]]:
    with moto() as environment:
        yield environment


def run(aws: dict[str, str], batches: list[Any], *ids: str) -> Any:
    """What a function made of these batches, each with its seconds; and the jobs of these ids."""
    path = os.pathsep.join([str(HERE), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *ids],
        env={
            **aws,
            "PATH": os.environ["PATH"],
            "PYTHONPATH": path,
            "EITHERWAY_APP": "function_app:app",
            "EITHERWAY_ENGINE": f"aws://{REGION}/notes",
        },
        cwd=HERE,
        input=json.dumps(batches),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_it_runs_without_a_web_framework_on_one_loop(aws: dict[str, str]) -> None:
    batches = [[[message("m-1", "write", {"text": "one"})], 5]]
    batches += [[[message("m-2", "write", {"text": "two"})], 5]]
    said = run(aws, batches, "m-1", "m-2")
    assert said["results"] == [{"batchItemFailures": []}] * 2
    assert [job["state"] for job in said["jobs"]] == ["succeeded", "succeeded"]
    assert said["loops"] == 1
    assert not {*said["modules"]} & HEAVY


@pytest.mark.parametrize("handler", ["queue", "dead", "sweeper", "stream"])
def test_only_what_is_served_imports_a_web_framework(handler: str) -> None:
    code = f"import sys, eitherway.lambdas.{handler}; print(*sys.modules, sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": os.environ["PATH"], "EITHERWAY_APP": "function_app:app"},
        cwd=HERE,
        capture_output=True,
        text=True,
        check=True,
    )
    modules = {name.partition(".")[0] for name in done.stdout.split()}
    assert "boto3" in modules
    assert not modules & HEAVY


@pytest.mark.slow
def test_what_does_not_end_in_time_is_given_back_and_not_counted(aws: dict[str, str]) -> None:
    said = run(aws, [[[message("m-3", "endless", {"text": "late"})], 1]], "m-3")
    assert said["results"] == [{"batchItemFailures": []}]  # its hint was sent again
    assert said["jobs"][0]["outcomes"] == ["interrupted"]
    assert (said["jobs"][0]["state"], said["jobs"][0]["attempt"]) == ("queued", 0)


@pytest.mark.slow
def test_a_function_that_is_told_to_end_gives_back_what_it_runs(aws: dict[str, str]) -> None:
    said = run(aws, [[[message("m-4", "endless", {"text": "terminated"})], 60]], "m-4")
    assert said["jobs"][0]["outcomes"] == ["interrupted"]
    assert (said["jobs"][0]["state"], said["jobs"][0]["attempt"]) == ("queued", 0)


@pytest.mark.slow
def test_what_a_batch_handler_gets_is_what_the_queue_gave(aws: dict[str, str]) -> None:
    records = [message(f"b-{number}", "pairs", {"text": "x"}) for number in range(4)]
    said = run(aws, [[records, 5]], "b-0")
    assert said["results"] == [{"batchItemFailures": []}]
    assert said["jobs"][0]["answer"] == '"4"'


@pytest.mark.slow
def test_what_fits_no_operation_is_shown_again(aws: dict[str, str]) -> None:
    wrong = message("m-5", "write", {"text": 5})
    malformed = {**message("m-6", "write", {}), "body": "{"}
    newer = message("m-7", "write", {"text": "seven"}, version=2)
    foreign = {**message("m-8", "write", {}), "messageAttributes": {}}
    batch = [wrong, malformed, newer, foreign]
    said = run(aws, [[batch, 5]], "m-5", "m-6", "m-7", "m-8")
    shown = [one["itemIdentifier"] for one in said["results"][0]["batchItemFailures"]]
    assert shown == ["m-7", "m-8"]
    states = [job and (job["state"], job["kind"]) for job in said["jobs"]]
    assert states == [("failed", "rejected"), ("failed", "rejected"), None, None]


@pytest.mark.slow
def test_one_odd_message_takes_no_other_with_it(aws: dict[str, str]) -> None:
    """Whatever somebody sends to a queue: only what raises takes all of a batch with it."""
    unnumbered = message("m-11", "write", {"text": "x"})
    unnumbered["messageAttributes"]["version"]["stringValue"] = "one"
    large = message("m-12", "write", {"text": "x" * 262_100}, params="note=" + "y" * 100)
    large["attributes"]["SentTimestamp"] = unnumbered["attributes"]["SentTimestamp"]
    older = message("m-13", "newest", {"text": "x" * 262_200}, version=1)
    raising = message("m-14", "raising", {"text": "x"})
    good = message("m-15", "write", {"text": "good"})
    ids = [f"m-{number}" for number in range(12, 16)]
    said = run(aws, [[[unnumbered, large, older, raising, good], 5]], *ids)
    shown = [one["itemIdentifier"] for one in said["results"][0]["batchItemFailures"]]
    assert shown == ["m-11"]
    states = [(job["state"], job["kind"]) for job in said["jobs"]]
    assert states[:2] == [("failed", "rejected")] * 2
    assert states[3] == ("succeeded", None)


async def test_what_is_refused_keeps_what_was_sent() -> None:
    """For operators to see; and run again by whoever takes it over, it is no other request."""
    app = App("shop")

    @app.post("/orders", delivery="queued")
    async def place(order: dict[str, str] | None = None) -> None: ...

    async with TestApp(app) as tested:
        wrong = received(message("m-16", "place", {"a": 1}), tested.runtime)
        malformed = received({**message("m-17", "place", 0), "body": "{"}, tested.runtime)
        large = received(message("m-18", "place", {"a": "x" * 300_000}), tested.runtime)
        key = message("m-19", "place", {"a": "b"}, headers="Idempotency-Key=%22%22")
        keyed = received(key, tested.runtime)
    for found, name in (
        (wrong, "invalid-input"),
        (malformed, "malformed-input"),
        (large, "payload-too-large"),
        (keyed, "idempotency-key-invalid"),
    ):
        assert found.refusal is not None
        assert found.refusal.document()["type"] == f"/problems/{name}"
    payloads = [
        found.hint.new.message.payload
        for found in (wrong, malformed, large)
        if found.hint and found.hint.new
    ]
    assert payloads == [b'{"a": 1}', b"{", b"{"]


async def test_a_key_is_the_same_in_quotes_or_without() -> None:
    app = App("shop")

    @app.post("/orders", delivery="queued")
    async def place(order: dict[str, str]) -> None: ...

    async with TestApp(app) as tested:
        given = ["Idempotency-Key=k", "idempotency-key=%22k%22", "Idempotency-Key=%22k%22%3Ba%3D1"]
        records = [message(f"m-{n}", "place", {}, headers=text) for n, text in enumerate(given)]
        hints = [received(each, tested.runtime).hint for each in records]
        keys = [hint.new.key.key for hint in hints if hint and hint.new and hint.new.key]
    assert keys == ["place k"] * 3


async def test_a_message_says_what_api_gateway_put_into_it() -> None:
    app = App("shop")

    @app.put("/orders/{order_id}", delivery="queued")
    async def place(order_id: str, note: str = "none") -> None: ...

    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with TestApp(app) as tested:
        headers = f"traceparent={trace}&tracestate="
        record = message("m-9", "place", None, params="order_id=a%20b%26c&note=", headers=headers)
        record["body"] = " "
        found = received(record, tested.runtime)
        assert found.hint is not None
        job = found.hint.new
        assert job is not None
        assert (job.id, job.message.payload) == ("m-9", b"")
        assert json.loads(job.message.params) == {"order_id": "a b&c"}
        assert job.traceparent == trace
        assert job.created == pytest.approx(1589522469.693)
        assert found.refusal is None
        alone = {**message("m-10", "place", None), "eventSourceARN": "a:b:notes_place-alone"}
        alone["messageAttributes"]["job"] = {"stringValue": "j-1", "dataType": "String"}
        hint = received(alone, tested.runtime).hint
        assert hint is not None
        assert (hint.job_id, hint.alone, hint.new) == ("j-1", True, None)

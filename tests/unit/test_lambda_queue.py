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
    assert not {"starlette", "uvicorn", "typer", "rich", "prometheus_client"} & {*said["modules"]}


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


async def test_a_message_says_what_api_gateway_put_into_it() -> None:
    app = App("shop")

    @app.put("/orders/{order_id}", delivery="queued")
    async def place(order_id: str, note: str = "none") -> None: ...

    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with TestApp(app) as tested:
        record = message("m-9", "place", None, params="order_id=a%20b%26c&note=", headers=trace)
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
        alone = {**message("m-10", "place", None), "eventSourceARN": "a:b:notes-place-alone"}
        alone["messageAttributes"]["job"] = {"stringValue": "j-1", "dataType": "String"}
        hint = received(alone, tested.runtime).hint
        assert hint is not None
        assert (hint.job_id, hint.alone, hint.new) == ("j-1", True, None)

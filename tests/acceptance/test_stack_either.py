"""What holds on one machine, on a stack: equal answers, batches, rates, versions, ends in time."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from botocore.exceptions import ClientError

from stacks import MiniStack, Stack, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

APPS = Path(__file__).parents[1] / "ministack"
JSON = {"content-type": "application/json"}

THINGS = {
    "plain": ('"plain"', "1", '"1.10"', "3"),
    "unicode": ('"é中א 😀 \u2028"', "0.1", "1.1", "1e3"),
    "escapes": (r'"\ud83d\ude00 \"\\\u0000"', "-0.0", '"0E-9"', "0"),
    "template": ("\"$input.json('$') #set($x = 1) $x\"", "5e-324", '"-0"', "1"),
    "precise": ('"%22 &quot; <b>"', "1e300", '"123456789.123456789"', "17.0"),
    "large": ('""', "0.30000000000000004", "0.5", "999999999999999999"),
    "refused": ('"none ü"', "0", "1", "-1"),
}
"""Bodies, as JSON: name, weight, price, count."""

numbers = count(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where handlers leave marks."""
    return tmp_path_factory.mktemp("workshop")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[Stack]:
    environment = {"WORKSHOP_FOLDER": str(folder)}
    with (
        MiniStack(tmp_path_factory.mktemp("ministack")) as server,
        Stack(server, APPS, "workshop:app", visibility_seconds=5, environment=environment) as stack,
    ):
        yield stack


def send(stack: Stack, path: str, body: Any) -> str:
    """The link of a job that was accepted."""
    answered = stack.http.post(path, json=body)
    assert answered.status_code == 202, answered.text
    return str(answered.json()["links"]["self"])


def message(operation: str, body: Any, *, version: int = 1) -> dict[str, Any]:
    """What an event source mapping gives of a request that API Gateway sent to the queue."""
    attributes = {"operation": operation, "version": str(version)}
    return {
        "messageId": str(UUID(int=next(numbers), version=4)),
        "receiptHandle": "receipt",
        "body": json.dumps(body),
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": f"{time.time() * 1000:.0f}",
        },
        "messageAttributes": {
            name: {"stringValue": value, "dataType": "String"} for name, value in attributes.items()
        },
        "eventSourceARN": f"arn:aws:sqs:us-east-1:000000000000:workshop_{operation}",
    }


def again(returned: Any) -> list[str]:
    """The messages that SQS is to show again."""
    return [one["itemIdentifier"] for one in returned["batchItemFailures"]]


def document(stack: Stack, message_id: str) -> Any:
    return stack.http.get(f"/jobs/{message_id}").json()


def essence(answered: httpx.Response) -> tuple[int, str, bytes]:
    return answered.status_code, answered.headers["content-type"], answered.content


@pytest.mark.parametrize("kind", THINGS)
def test_answers_are_alike_to_the_byte_in_every_delivery(stack: Stack, kind: str) -> None:
    """Decimals, floats and text from everywhere, as they were sent; API Gateway copies bodies."""
    name, weight, price, number = THINGS[kind]
    text = f'{{"name": {name}, "weight": {weight}, "price": {price}, "count": {number}, '
    body = (text + '"made": "2026-01-02T03:04:05.6+02:00", "tags": {"ß": ["5", 5, null]}}').encode()
    now = stack.http.post("/things", content=body, headers=JSON)
    later = []
    for path in ("/things/queued", "/things/stored"):
        accepted = stack.http.post(path, content=body, headers=JSON)
        assert accepted.status_code == 202, accepted.text
        links = accepted.json()["links"]
        stack.job(links["self"])
        later.append(stack.http.get(stack.path_of(links["result"])))
    assert now.status_code == (409 if kind == "refused" else 201), now.text
    assert [essence(one) for one in later] == [essence(now)] * 2


def test_what_outlives_its_function_is_given_back_and_not_counted(stack: Stack) -> None:
    """A second before the function's own end, of which the handler's timeout knows nothing."""
    worker = stack.resources["EndlessWorker"]
    stack.functions.update_function_configuration(FunctionName=worker, Timeout=3)
    ended = stack.job(send(stack, "/endless", {"name": "endless"}), within_seconds=30)
    assert (ended["status"], ended["result"], ended["attempt"]) == ("succeeded", 2, 1)
    assert [one["outcome"] for one in ended["attempts"]] == ["interrupted", "succeeded"]
    began, over = (
        datetime.fromisoformat(ended["attempts"][0][at]) for at in ("started", "finished")
    )
    assert over - began < timedelta(seconds=3), "it gave back in time, and was not cut off"


def test_an_environment_that_is_told_to_end_gives_its_job_back_at_once(stack: Stack) -> None:
    """Not by a lapsed lease: its first attempt is over long before that."""
    ended = stack.job(send(stack, "/ordered", {"name": "ordered"}), within_seconds=30)
    assert (ended["status"], ended["result"], ended["attempt"]) == ("succeeded", 2, 1)
    assert [one["outcome"] for one in ended["attempts"]] == ["interrupted", "succeeded"]


def test_a_batch_is_what_the_queue_hands_over(stack: Stack) -> None:
    names = ["a", "bad", "c"]
    batch = [message("tally", {"name": name}) for name in names]
    assert again(stack.invoke("TallyWorker", {"Records": batch})) == []
    ended = [document(stack, each["messageId"]) for each in batch]
    assert [one["status"] for one in ended] == ["succeeded", "failed", "succeeded"]
    assert [ended[place]["result"] for place in (0, 2)] == ["3 a", "3 c"]
    assert ended[1]["error"]["kind"] == "rejected"
    (mapping,) = stack.functions.list_event_source_mappings(
        FunctionName=stack.resources["TallyWorker"],
        EventSourceArn=batch[0]["eventSourceARN"],
    )["EventSourceMappings"]
    assert mapping["BatchSize"] == 5
    alone = stack.job(send(stack, "/tallies", {"name": "alone"}))
    assert alone["result"].endswith(" alone")


def test_a_job_of_a_newer_version_is_left_to_those_who_know_it(stack: Stack, folder: Path) -> None:
    newer = message("label", {"name": "newer", "letters": "xy"}, version=3)
    own = message("label", {"name": "own", "words": ["x"]}, version=2)
    returned = stack.invoke("LabelWorker", {"Records": [newer, own]})
    assert again(returned) == [newer["messageId"]]
    assert document(stack, own["messageId"])["result"] == {"name": "own", "words": ["x"]}
    unseen = stack.http.get(stack.path_of(f"/live/jobs/{newer['messageId']}?accepted="))
    assert (unseen.json()["status"], unseen.json()["recorded"]) == ("queued", False)
    assert not (folder / "label-newer").exists()


def test_a_job_of_an_older_version_is_upgraded(stack: Stack) -> None:
    older = message("label", {"name": "older", "text": "two words"})
    assert again(stack.invoke("LabelWorker", {"Records": [older]})) == []
    ended = document(stack, older["messageId"])
    assert ended["result"] == {"name": "older", "words": ["two", "words"]}
    odd = message("label", {"name": "odd"})
    assert again(stack.invoke("LabelWorker", {"Records": [odd]})) == []
    assert document(stack, odd["messageId"])["error"]["kind"] == "incompatible"


def test_no_more_start_in_a_second_than_the_rate_allows(stack: Stack) -> None:
    """What comes too early is shown again: the last of six starts a second after the first."""
    assert stack.job(send(stack, "/paced", {"name": "warm"}))["status"] == "succeeded"
    sent = [message("pace", {"name": str(number)}) for number in range(6)]
    left, began = sent, time.monotonic()
    for _ in until(30, "all of them have run", stack.logs):
        returned = again(stack.invoke("PaceWorker", {"Records": left}))
        left = [each for each in left if each["messageId"] in returned]
        assert len(sent) - len(left) <= 1 + 5 * (time.monotonic() - began)
        if not left:
            break
    ended = [document(stack, each["messageId"]) for each in sent]
    assert [(one["status"], len(one["attempts"])) for one in ended] == [("succeeded", 1)] * 6


def test_a_call_that_is_killed_half_way_runs_again_under_its_id_and_writes_once(
    stack: Stack, folder: Path
) -> None:
    key = {"idempotency-key": '"killed"'}
    killed = stack.http.post("/counted", json={"name": "counted"}, headers=key)
    assert killed.status_code in (500, 502, 504), killed.text
    for _ in until(30, "the dead call's hold on the key is over", stack.logs):
        repeated = stack.http.post("/counted", json={"name": "counted"}, headers=key)
        if repeated.status_code != 409:
            break
    assert (repeated.status_code, repeated.json()["total"]) == (200, 1)
    replayed = stack.http.post("/counted", json={"name": "counted"}, headers=key)
    assert essence(replayed) == essence(repeated)
    assert stack.http.get("/counts/counted").json()["total"] == 1
    first, second = (folder / "counted").read_text().split()
    assert first == second, "both starts were of one job"


def test_another_app_s_deployment_is_refused_and_ones_own_brings_its_code(stack: Stack) -> None:
    """CloudFormation itself refuses it, before anything is changed: a stack remembers its app."""
    function = stack.resources["CountFunction"]
    before = stack.functions.get_function_configuration(FunctionName=function)["CodeSha256"]
    with pytest.raises(ClientError, match="EitherwayApp"):
        stack.deploy(stack.built("staff:app"))
    assert stack.http.get("/counts/nobody").json()["total"] == 0
    assert stack.functions.get_function_configuration(FunctionName=function)["CodeSha256"] == before
    following = stack.built("workshop:app")
    following["Mappings"]["Code"]["Zip"]["Key"] = "following.zip"
    stack.deploy(following)
    assert stack.functions.get_function_configuration(FunctionName=function)["CodeSha256"] != before
    assert stack.http.get("/counts/nobody").json()["total"] == 0

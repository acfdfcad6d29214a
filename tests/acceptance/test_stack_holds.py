"""What must hold on AWS whatever happens, tried in MiniStack."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from stacks import MiniStack, Stack, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

PAGES = "https://pages.example"
APPS = Path(__file__).parents[1] / "ministack"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where handlers leave marks."""
    return tmp_path_factory.mktemp("ledger")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MiniStack]:
    with MiniStack(tmp_path_factory.mktemp("ministack")) as server:
        yield server


@pytest.fixture(scope="module")
def stack(server: MiniStack, folder: Path) -> Iterator[Stack]:
    environment = {"LEDGER_FOLDER": str(folder)}
    with Stack(server, APPS, "ledger:app", visibility_seconds=5, environment=environment) as stack:
        yield stack


@pytest.fixture(scope="module")
def staff(server: MiniStack) -> Iterator[Stack]:
    """A stack beside it, of an app that knows its callers, and which pages may call."""
    pages = {"EITHERWAY_CORS_ORIGINS": f"{PAGES}, https://other.example/"}
    with Stack(server, APPS, "staff:app", visibility_seconds=5, parameters=pages) as stack:
        yield stack


def send(stack: Stack, path: str, body: Any, **headers: str) -> str:
    """The link of a job that was accepted."""
    answered = stack.http.post(path, json=body, headers=headers)
    assert answered.status_code == 202, answered.text
    return str(answered.json()["links"]["self"])


def id_of(link: str) -> str:
    """The id in the link of a job."""
    return link.rpartition("/")[2].partition("?")[0]


def total(stack: Stack, name: str) -> int:
    return int(stack.http.get(f"/sums/{name}").json()["total"])


def status(stack: Stack, link: str) -> Any:
    """The document of a job as it is now."""
    return stack.http.get(stack.path_of(link)).json()


def record(message_id: str, operation: str, body: Any) -> dict[str, Any]:
    """What the event source mapping gives of a request that API Gateway sent to the queue."""
    return {
        "messageId": message_id,
        "receiptHandle": f"receipt-of-{message_id}",
        "body": json.dumps(body),
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": f"{time.time() * 1000:.0f}",
        },
        "messageAttributes": {
            "operation": {"stringValue": operation, "dataType": "String"},
            "version": {"stringValue": "1", "dataType": "String"},
        },
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:us-east-1:000000000000:ledger_{operation}",
        "awsRegion": "us-east-1",
    }


def test_a_message_delivered_twice_commits_once(stack: Stack) -> None:
    twice = [record("6d7e2b1c-0000-4000-8000-000000000001", "add", {"name": "twice"})] * 2
    assert stack.invoke("AddWorker", {"Records": twice}) == {"batchItemFailures": []}
    assert stack.invoke("AddWorker", {"Records": twice}) == {"batchItemFailures": []}
    assert total(stack, "twice") == 1
    document = stack.http.get(f"/jobs/{twice[0]['messageId']}").json()
    assert (document["status"], document["attempt"]) == ("succeeded", 1)
    assert len(document["attempts"]) == 1


def test_a_request_that_is_repeated_under_its_key_runs_once(stack: Stack) -> None:
    """Straight into the queue: each has an id, and both ids find the first one's job."""
    key = {"Idempotency-Key": '"8e03978e"'}
    links = [send(stack, "/adds", {"name": "keyed"}, **key) for _ in range(3)]
    documents = [stack.job(link) for link in links]
    assert {document["status"] for document in documents} == {"succeeded"}
    assert len({document["id"] for document in documents}) == 1
    assert documents[0]["id"] in {id_of(link) for link in links}
    other = stack.job(send(stack, "/adds", {"name": "keyed-too"}, **key))
    assert other["id"] != documents[0]["id"], "another request is no repeat"
    assert [total(stack, name) for name in ("keyed", "keyed-too")] == [1, 1]


def test_sums_are_exact_whoever_is_killed(stack: Stack, folder: Path) -> None:
    adds = [{"name": f"sum-{number % 2}"} for number in range(20)]
    for number in (3, 11):
        adds[number]["kill"] = f"killed-{number}"
    links = [send(stack, "/adds", one) for one in adds]
    documents = [stack.job(link, within_seconds=120, sweeping=True) for link in links]
    assert {document["status"] for document in documents} == {"succeeded"}
    assert [total(stack, f"sum-{number}") for number in range(2)] == [10, 10]
    assert {each.name for each in folder.glob("killed-*")} == {"killed-3", "killed-11"}
    killed = documents[3]["attempts"]
    assert killed[0]["outcome"] == "lease_lost"
    assert documents[3]["attempt"] == 1  # it died in company: a suspect, not counted


def test_what_kills_its_process_is_run_alone_and_becomes_a_dead_letter(
    stack: Stack, folder: Path
) -> None:
    link = send(stack, "/deadly", {"order_id": "deadly-1"})
    document = stack.job(link, within_seconds=120, sweeping=True)
    assert (document["status"], document["error"]["kind"]) == ("failed", "exhausted")
    assert document["attempt"] == 2
    outcomes = [attempt["outcome"] for attempt in document["attempts"]]
    assert outcomes == ["lease_lost"] * 3  # the first one was not counted
    assert (folder / "deadly-1").read_text() == "xxx"


def test_poison_becomes_a_dead_letter_after_its_attempts(stack: Stack) -> None:
    document = stack.job(send(stack, "/poison", {"order_id": "p-1"}))
    assert (document["status"], document["error"]["kind"]) == ("failed", "exhausted")
    assert [attempt["outcome"] for attempt in document["attempts"]] == ["error", "error"]
    depth = stack.queues.get_queue_attributes(
        QueueUrl=stack.outputs["DeadQueueUrl"], AttributeNames=["ApproximateNumberOfMessages"]
    )
    assert depth["Attributes"]["ApproximateNumberOfMessages"] == "0"  # the record is the letter


def test_a_hint_in_the_dead_queue_is_sent_again(stack: Stack) -> None:
    sent = stack.queues.send_message(
        QueueUrl=stack.outputs["DeadQueueUrl"],
        MessageBody=json.dumps({"name": "from-the-dead"}),
        MessageAttributes={
            "operation": {"DataType": "String", "StringValue": "add"},
            "version": {"DataType": "String", "StringValue": "1"},
        },
    )
    link = f"/live/jobs/{sent['MessageId']}?accepted="
    assert stack.job(link)["status"] == "succeeded"
    assert total(stack, "from-the-dead") == 1


def test_what_only_a_worker_can_refuse_is_rejected(stack: Stack) -> None:
    worker, id_ = "AddWorker", "6d7e2b1c-0000-4000-8000-000000000002"
    wrong = record(id_, "add", {"name": "wrong", "amount": "many"})
    assert stack.invoke(worker, {"Records": [wrong]}) == {"batchItemFailures": []}
    document = stack.http.get(f"/jobs/{id_}").json()
    assert (document["status"], document["error"]["kind"]) == ("failed", "rejected")
    assert document["error"]["type"] == "/problems/invalid-input"
    result = stack.http.get(f"/jobs/{id_}/result")
    assert result.status_code == 422
    assert result.json()["errors"] == [
        {"pointer": "/amount", "detail": result.json()["errors"][0]["detail"]}
    ]


def test_an_id_that_no_worker_has_seen_is_queued_for_as_long_as_it_can_be(stack: Stack) -> None:
    url = "/jobs/6d7e2b1c-0000-4000-8000-000000000003"
    unseen = stack.http.get(stack.path_of(f"/live{url}?accepted="))
    assert (unseen.status_code, unseen.headers["retry-after"]) == (200, "1")
    assert (unseen.json()["status"], unseen.json()["recorded"]) == ("queued", False)
    result = stack.http.get(stack.path_of(f"/live{url}/result?accepted="))
    assert (result.status_code, result.json()["type"]) == (404, "/problems/result-not-ready")
    for query in ("", "?accepted=", "?accepted=1000", "?accepted=soon"):
        assert stack.http.get(url + query).status_code == 404


def test_a_request_that_is_stored_first_can_be_waited_for(stack: Stack) -> None:
    answered = stack.http.put("/orders/o-1?text=hello", headers={"prefer": "wait=20"})
    assert (answered.status_code, answered.json()["order_id"]) == (200, "o-1")
    plain = stack.http.put("/orders/o-2?text=hello")
    assert plain.status_code == 202
    assert stack.job(plain.headers["location"])["result"]["text"] == "hello"


def test_a_job_that_is_stored_first_is_found_by_its_key_and_its_etag(stack: Stack) -> None:
    key = {"idempotency-key": '"stored"'}
    first, again = (stack.http.put("/orders/o-3?text=once", headers=key) for _ in range(2))
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json()["id"] == first.json()["id"]
    other = stack.http.put("/orders/o-3?text=twice", headers=key)
    assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key-reused")
    url = stack.path_of(first.json()["links"]["self"])
    ended = stack.http.get(url, headers={"prefer": "wait=20"})
    assert (ended.json()["status"], ended.headers["preference-applied"]) == ("succeeded", "wait=20")
    same = stack.http.get(url, headers={"if-none-match": ended.headers["etag"]})
    assert same.status_code == 304


def test_a_limit_holds_over_both_deliveries(stack: Stack, folder: Path) -> None:
    links = [send(stack, "/held", {"order_id": f"h-{n}", "text": "go"}) for n in range(4)]
    for _ in until(60, "two of them run", stack.logs):
        running = [link for link in links if status(stack, link)["status"] == "running"]
        if len(running) == 2:
            break
    refused = stack.http.post("/held/direct", json={"order_id": "h-5"})
    assert (refused.status_code, refused.json()["type"]) == (503, "/problems/overloaded")
    assert int(refused.headers["retry-after"]) >= 1
    (folder / "go").touch()
    spans = [stack.job(link, within_seconds=120)["result"] for link in links]
    edges = sorted([(one["began"], 1) for one in spans] + [(one["ended"], -1) for one in spans])
    at_once = [sum(step for _, step in edges[: place + 1]) for place in range(len(edges))]
    assert max(at_once) == 2
    assert stack.http.post("/held/direct", json={"order_id": "h-6"}).status_code == 200


def test_a_running_job_is_canceled_and_its_handler_stopped(stack: Stack, folder: Path) -> None:
    link = send(stack, "/held", {"order_id": "c-1", "text": "never"})
    for _ in until(60, "it runs", stack.logs):
        if status(stack, link)["status"] == "running":
            break
    canceled = stack.http.delete(f"/jobs/{id_of(link)}")
    assert (canceled.status_code, canceled.json()["status"]) == (200, "canceled")
    for _ in until(20, "its handler is stopped", stack.logs):
        if (folder / "c-1-stopped").exists():
            break
    assert status(stack, link)["status"] == "canceled"


def test_what_a_handler_enqueues_for_later_runs_once_it_has_committed(stack: Stack) -> None:
    first = stack.job(send(stack, "/chains", {"name": "chained", "amount": 3}))
    second = stack.job(f"/live/jobs/{first['result']}")
    began = datetime.fromisoformat(second["attempts"][0]["started"])
    accepted = datetime.fromisoformat(second["created"])
    assert (began - accepted).total_seconds() >= 1
    assert second["result"] == {"name": "chained", "total": 3}
    assert total(stack, "chained") == 3


def test_either_way_is_as_the_caller_wishes(stack: Stack) -> None:
    body = {"order_id": "e-1"}
    plain = stack.http.post("/either", json=body)
    assert (plain.status_code, plain.json()["order_id"]) == (200, "e-1")
    later = stack.http.post("/either", json=body, headers={"prefer": "respond-async"})
    assert (later.status_code, later.headers["preference-applied"]) == (202, "respond-async")
    assert stack.job(later.headers["location"])["result"] == plain.json()
    held = stack.http.post("/either", json=body, headers={"prefer": "wait=20"})
    assert (held.status_code, held.json()) == (200, plain.json())


def test_an_operator_sends_a_dead_letter_again(stack: Stack, folder: Path) -> None:
    link = send(stack, "/poison", {"order_id": "p-4", "text": "antidote"})
    assert stack.job(link)["error"]["kind"] == "exhausted"
    (folder / "antidote").touch()
    assert stack.operate("dead", "redrive", id_of(link)) == "1 queued again"
    document = stack.job(link)
    assert (document["status"], document["result"]) == ("succeeded", "harmless")


def test_a_stream_is_a_poll_until_the_job_has_ended(stack: Stack) -> None:
    """Also from before a worker has seen the job; the reader comes back with its cursor."""
    receipt = stack.http.post("/poison", json={"order_id": "p-3"}).json()
    events = stack.told(receipt["links"]["events"])
    assert {each["subject"] for each in events} == {receipt["id"]}
    sequences = [int(each["sequence"]) for each in events]
    assert sequences == sorted(set(sequences))
    assert events[-1]["type"] == "eitherway.job.failed"
    assert events[-1]["data"]["attempt"] == 2
    unknown = stack.http.get("/jobs/6d7e2b1c-0000-4000-8000-000000000004/events")
    assert unknown.status_code == 404


@pytest.mark.parametrize("runs", [True, False], ids=["running", "ended"])
def test_a_repeat_s_id_is_told_of_the_first_job(stack: Stack, folder: Path, runs: bool) -> None:
    key, mark = {"Idempotency-Key": f'"repeated-{runs}"'}, f"repeated-{runs}"
    body = {"order_id": "r-1", "text": mark}
    first = send(stack, "/held", body, **key)
    for _ in until(60, "it runs", stack.logs):
        if status(stack, first)["status"] == "running":
            break
    if not runs:
        (folder / mark).touch()
        assert stack.job(first)["status"] == "succeeded"
    repeat = send(stack, "/held", body, **key)
    assert id_of(repeat) != id_of(first)
    with stack.socket() as socket:
        socket.send(json.dumps({"subscribe": [id_of(repeat)]}))
        events = [json.loads(socket.recv(timeout=30))]
        (folder / mark).touch()
        while not events[-1]["data"]["done"]:
            events.append(json.loads(socket.recv(timeout=30)))
    assert {each["subject"] for each in events} == {id_of(first)}
    assert events[0]["data"]["status"] == ("running" if runs else "succeeded")
    assert stack.told(f"/live/jobs/{id_of(repeat)}/events")[-1]["subject"] == id_of(first)


def test_what_names_no_operation_stays_in_the_dead_queue(stack: Stack) -> None:
    gone = record("6d7e2b1c-0000-4000-8000-000000000005", "gone", {})
    kept = stack.invoke("Dead", {"Records": [gone]})
    assert kept == {"batchItemFailures": [{"itemIdentifier": gone["messageId"]}]}


def test_a_caller_hears_of_their_own_jobs_and_of_no_others(staff: Stack) -> None:
    ann, bob = {"x-user": "ann"}, {"x-user": "bob"}
    assert staff.http.post("/notes", json={}).status_code == 401
    ticket = staff.http.post("/tickets", headers=ann).json()["ticket"]
    with staff.socket(query=f"?ticket={ticket}") as socket:
        other = staff.http.post("/notes", json={"of": "bob"}, headers=bob).json()["id"]
        own = staff.http.post("/notes", json={"of": "ann"}, headers=ann).json()["id"]
        socket.send(json.dumps({"subscribe": [other]}))
        events = [json.loads(socket.recv(timeout=30))]
        while not events[-1]["data"]["done"]:
            events.append(json.loads(socket.recv(timeout=30)))
    assert {each["subject"] for each in events} == {own}
    for refused in ("", f"?ticket={ticket}", "?ticket=made-up"):
        with pytest.raises(InvalidStatus), staff.socket(query=refused):
            pass
    answers = [staff.http.get(f"/jobs/{own}", headers=who).status_code for who in (ann, bob)]
    assert answers == [200, 404]


def test_a_page_of_another_origin_may_call_and_read_the_answer(staff: Stack) -> None:
    asks = {
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,x-user,prefer",
    }
    for path in ("/notes", "/jobs/6d7e2b1c-0000-4000-8000-000000000006"):
        allowed = staff.http.options(path, headers={"origin": PAGES, **asks})
        assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, PAGES)
        assert "x-user" in allowed.headers["access-control-allow-headers"]
        refused = staff.http.options(path, headers={"origin": "https://evil.example", **asks})
        assert refused.status_code == 400
        assert "access-control-allow-origin" not in refused.headers
    sent = staff.http.post("/notes", json={}, headers={"origin": PAGES, "x-user": "ann"})
    assert (sent.status_code, sent.headers["access-control-allow-origin"]) == (202, PAGES)
    assert "location" in sent.headers["access-control-expose-headers"].lower()


def test_all_jobs_of_a_caller_are_told_by_the_stream_of_the_table(staff: Stack) -> None:
    ann = {"x-user": "ann"}
    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(staff.http.get, "/events", headers=ann)
        accepted = []
        for _ in until(60, "the reader is told", staff.logs):
            if reading.done():
                break
            accepted.append(staff.http.post("/notes", json={}, headers=ann).json()["id"])
    answered = reading.result()
    assert answered.status_code == 200, answered.text
    lines = [line for line in answered.text.splitlines() if line.startswith("data: {")]
    subjects = {json.loads(line.removeprefix("data: "))["subject"] for line in lines}
    assert subjects
    assert subjects <= set(accepted)


def test_a_connection_that_has_gone_is_forgotten(stack: Stack) -> None:
    table = stack.resources["Channels"]
    link = send(stack, "/poison", {"order_id": "p-2"})
    job_id = id_of(link)
    stack.tables.put_item(
        TableName=table,
        Item={
            "channel": {"S": f"job#{job_id}"},
            "connection": {"S": "gone="},
            "expires": {"N": "99999999999"},
        },
    )
    assert stack.job(link)["done"]
    for _ in until(20, "the row is gone"):
        if _rows(stack, job_id) == []:
            break


def test_a_socket_hears_of_the_end_also_when_it_comes_late_or_leaves(stack: Stack) -> None:
    link = send(stack, "/large", {"order_id": "l-1"})
    document = stack.job(link)
    with stack.socket() as late:
        late.send(json.dumps({"ping": True}))
        late.send(json.dumps({"subscribe": [document["id"]]}))
        told = json.loads(late.recv(timeout=30))
    assert (told["type"], told["subject"]) == ("eitherway.job.succeeded", document["id"])
    assert "result" not in told["data"]  # 150 kB are too much for a message
    assert told["data"]["links"]["result"].endswith(f"/jobs/{document['id']}/result")
    for _ in until(20, "the rows of the connection are gone"):
        if _rows(stack, document["id"]) == []:
            break


def test_a_socket_that_says_nonsense_is_let_go(stack: Stack) -> None:
    with stack.socket() as opened:
        opened.send("nonsense")
        with pytest.raises(ConnectionClosed):
            opened.recv(timeout=30)


def _rows(stack: Stack, job_id: str) -> list[Any]:
    found = stack.tables.query(
        TableName=stack.resources["Channels"],
        KeyConditionExpression="channel = :channel",
        ExpressionAttributeValues={":channel": {"S": f"job#{job_id}"}},
    )
    return list(found["Items"])

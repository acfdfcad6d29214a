"""Callbacks of real processes: other people's libraries verify them, and no kill loses one."""

import asyncio
import base64
import json
import os
import signal
import sqlite3
import subprocess
from contextlib import closing

import httpx
import pytest
from callback_apps import LARGE
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from service import Service, tick, until_done
from standardwebhooks import Webhook, WebhookVerificationError

from node import NODE, node_modules
from sink import HANG, Sink

pytestmark = pytest.mark.slow

OLD = "whsec_" + base64.b64encode(b"the secret that is rotated away.").decode()
NEW = "whsec_" + base64.b64encode(b"the secret that takes its place.").decode()
APP = "callback_apps:app"

VERIFY = """
const { Webhook } = require("standardwebhooks");
const [secret, path] = process.argv.slice(1);
const cases = JSON.parse(require("fs").readFileSync(path, "utf8"));
const verdicts = cases.map(({ headers, body }) => {
  try {
    return new Webhook(secret).verify(body, headers).id;
  } catch (error) {
    return error.name + ": " + error.message;
  }
});
console.log(JSON.stringify(verdicts));
"""


@pytest.fixture
async def sink(monkeypatch):
    async with Sink() as sink:
        monkeypatch.setenv("EITHERWAY_CALLBACK_URLS", sink.url)
        monkeypatch.setenv("EITHERWAY_CALLBACK_SECRETS", f"{NEW},{OLD}")
        monkeypatch.setenv("EITHERWAY_CALLBACK_NETWORKS", "127.0.0.0/8")
        yield sink


async def ask(client, sink, text="hi"):
    response = await client.post("/echo", params={"text": text}, headers={"callback-url": sink.url})
    assert response.status_code == 202, response.text
    return response.json()["id"]


async def test_node_and_python_verify_what_is_delivered(sink, tmp_path):
    """Each delivery, with the old secret and the new one; nothing that was changed on the way."""
    texts = ["hi", "bad", "broken", "naïve ☃ \u2028 \U0001f600", 'a"b\\c', "large"]
    with Service(tmp_path, "run", target=APP) as service:
        await service.ready()
        async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
            jobs = [await ask(client, sink, text) for text in texts]
            received = await sink.got(len(texts))
            documents = {job: await until_done(client, job) for job in jobs}

    for got in received:
        event = JSONFormat().read(CloudEvent, got.body)
        document = documents.pop(event.get_subject())
        assert event.get_source() == f"{service.url}/jobs"
        assert event.get_type() == f"eitherway.job.{document['status']}"
        if document.get("result") == LARGE:  # too large: left to its link
            del document["result"]
        assert event.get_data() == document
        for secret in (OLD, NEW):
            assert Webhook(secret).verify(got.body, got.headers)["id"] == event.get_id()
    assert not documents

    genuine = [{"headers": got.headers, "body": got.body.decode()} for got in received]
    assert verdicts(tmp_path, NEW, genuine) == verdicts(tmp_path, OLD, genuine) == sink.ids
    forged = [forgery for one in genuine for forgery in forgeries(one)]
    assert set(verdicts(tmp_path, NEW, forged)) == {
        "WebhookVerificationError: No matching signature found"
    }
    for one in forged:
        with pytest.raises(WebhookVerificationError):
            Webhook(NEW).verify(one["body"], one["headers"])
    stranger = "whsec_" + base64.b64encode(bytes(32)).decode()
    assert all("No matching" in verdict for verdict in verdicts(tmp_path, stranger, genuine))


def forgeries(genuine):
    headers, body = genuine["headers"], genuine["body"]
    later = str(int(headers["webhook-timestamp"]) + 1)
    yield {"headers": headers, "body": body.replace("eitherway", "otherways", 1)}
    yield {"headers": headers, "body": body + " "}
    yield {"headers": {**headers, "webhook-id": headers["webhook-id"] + "0"}, "body": body}
    yield {"headers": {**headers, "webhook-timestamp": later}, "body": body}


def verdicts(folder, secret, cases):
    """What Node's `standardwebhooks` says of each: the event's id, or why not."""
    modules = node_modules("standardwebhooks@1.1.1")
    (folder / "cases.json").write_text(json.dumps(cases))
    command = [NODE, "-e", VERIFY, "--", secret, folder / "cases.json"]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NODE_PATH": str(modules)},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def test_a_worker_killed_between_the_end_and_its_callback_loses_nothing(sink, tmp_path):
    """The job has committed, nobody has been told: the next worker tells, once each."""
    with Service(tmp_path, "gateway", target=APP) as gateway:
        await gateway.ready()
        async with httpx.AsyncClient(base_url=gateway.url, timeout=60) as client:
            worker = Service(tmp_path, "worker", target=APP).start(EITHERWAY_OPERATIONS="echo")
            try:
                jobs = [await ask(client, sink, text) for text in ("hi", "bad", "broken")]
                for job in jobs:
                    await until_done(client, job)
            finally:
                worker.stop(signal.SIGKILL)
            assert sink.connections == 0
            with Service(tmp_path, "worker", target=APP):
                received = await sink.got(3)
                await ended(tmp_path, {"eitherway.event": 3, "eitherway.callback": 3})
    assert sorted(got.event["subject"] for got in received) == sorted(jobs)
    assert len(set(sink.ids)) == len(sink.received) == 3


async def ended(folder, wanted):
    """Return once so many jobs of these operations have succeeded, and no more exist."""
    while True:
        with closing(sqlite3.connect(folder / "jobs.db")) as connection:
            rows = connection.execute("SELECT operation, state FROM job").fetchall()
        told = [(operation, state) for operation, state in rows if operation in wanted]
        if {state for _, state in told} == {"succeeded"}:
            counts = {name: sum(one == name for one, _ in told) for name in wanted}
            if counts == wanted:
                return
        await tick()


async def test_a_worker_killed_while_it_delivers_tells_again_under_the_same_id(sink, tmp_path):
    """The receiver has the body and has not answered: it comes again, and can be told apart."""
    sink.answers = [HANG, 204]
    with Service(tmp_path, "gateway", target=APP) as gateway:
        await gateway.ready()
        async with httpx.AsyncClient(base_url=gateway.url, timeout=60) as client:
            with Service(tmp_path, "worker", target=APP) as worker:
                await ask(client, sink)
                await sink.got(1)
                worker.stop(signal.SIGKILL)
            with Service(tmp_path, "worker", target=APP):
                first, second = await sink.got(2)
                await ended(tmp_path, {"eitherway.event": 1, "eitherway.callback": 1})
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body


JOBS, KILLS = 120, 4


async def test_random_kills_lose_no_callback_and_make_up_none(sink, tmp_path):
    """120 jobs, the worker killed 4 times among them: each end is told, under one id."""
    with Service(tmp_path, "gateway", target=APP) as gateway:
        await gateway.ready()
        limits = httpx.Limits(max_connections=32)
        async with httpx.AsyncClient(base_url=gateway.url, timeout=60, limits=limits) as client:
            asking = asyncio.ensure_future(
                asyncio.gather(*(ask(client, sink, f"t{number}") for number in range(JOBS)))
            )
            for kill in range(1, KILLS + 1):
                with Service(tmp_path, "worker", target=APP) as worker:
                    await sink.got(kill * JOBS // (KILLS + 2))
                    worker.stop(signal.SIGKILL)
            jobs = await asking
            with Service(tmp_path, "worker", target=APP):
                await ended(tmp_path, {"echo": JOBS, "eitherway.callback": JOBS})
    ids = {}
    for got in sink.received:
        ids.setdefault(got.event["subject"], set()).add(got.headers["webhook-id"])
    assert sorted(ids) == sorted(jobs)
    assert {len(each) for each in ids.values()} == {1}


async def test_a_dead_callback_is_shown_and_sent_again_by_command(sink, tmp_path, monkeypatch):
    """A name that leads inside: refused before any connection, until its network is allowed."""
    url = sink.url.replace("127.0.0.1", "localhost")
    monkeypatch.setenv("EITHERWAY_CALLBACK_URLS", url)
    monkeypatch.setenv("EITHERWAY_CALLBACK_NETWORKS", "")
    with Service(tmp_path, "run", target=APP) as service:
        await service.ready()
        async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
            response = await client.post(
                "/echo", params={"text": "hi"}, headers={"callback-url": url}
            )
            job_id = response.json()["id"]
            while not (groups := operate(service, "dead", "list", "--json")["groups"]):
                await tick()
    (group,) = groups
    assert (group["operation"], group["kind"]) == ("eitherway.callback", "exhausted")
    shown = operate(service, "dead", "show", group["sample"], "--json")
    assert "which is loopback" in json.dumps(shown)
    assert sink.connections == 0
    monkeypatch.setenv("EITHERWAY_CALLBACK_NETWORKS", "127.0.0.0/8,::1/128")
    with Service(tmp_path, "worker", target=APP):
        operate(service, "dead", "redrive", "--operation", "eitherway.callback", "--json")
        (got,) = await sink.got(1)
    assert got.event["subject"] == job_id


def operate(service, *words):
    """What a command for operators prints."""
    command = [*service._command[:3], *words, "--engine", service.engine]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)

"""Who may see what, between real processes: keys by the command, two gateways, deaths, noise."""

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from service import Service, tick, until_done
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from eitherway.auth.keyring import Keyring
from eitherway.clock import SystemClock
from eitherway.engines.sqlite.engine import SqliteEngine

UNKNOWN = "00000000-0000-7000-8000-000000000001"
CLOUDEVENTS = {"subprotocols": ["cloudevents.json"], "ping_interval": None, "compression": None}


def start(folder, *command, **environment):
    return Service(folder, *command, target="auth_apps:app").start(**environment)


@contextlib.contextmanager
def stopping(*services):
    try:
        yield
    finally:
        for service in services:
            service.stop()


def command(service, *words):
    """`eitherway`, on the store of a service."""
    line = [sys.executable, "-m", "eitherway", *words, "--engine", service.engine]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)


def keys(service, *words):
    return command(service, "keys", *words)


async def key_of(service, name):
    """A new key, without the command."""
    engine = SqliteEngine(Path(service.engine.removeprefix("sqlite:///")))
    await engine.open()
    _, shown = await Keyring(engine, SystemClock()).create(name)
    await engine.close()
    return shown


def bearing(key):
    return {"authorization": f"Bearer {key}"}


def ws(service, query=""):
    return service.url.replace("http", "ws", 1) + f"/events{query}"


def client_of(service, key=None):
    headers = {} if key is None else bearing(key)
    return httpx.AsyncClient(base_url=service.url, headers=headers, timeout=60)


async def made(client):
    answer = await client.post("/whose")
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


async def raw(service, head, body=b""):
    """All that a gateway answers to these bytes, but for the date."""
    reader, writer = await asyncio.open_connection(*service.url.removeprefix("http://").split(":"))
    writer.write(head + body)
    await writer.drain()
    answer = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    lines = answer.split(b"\r\n")
    return b"\r\n".join(line for line in lines if not line.lower().startswith(b"date:"))


DOORS = [
    ("GET", "/jobs/{id}", ""),
    ("HEAD", "/jobs/{id}", ""),
    ("GET", "/jobs/{id}", "Prefer: wait=20\r\n"),
    ("GET", "/jobs/{id}/result", ""),
    ("DELETE", "/jobs/{id}", ""),
    ("GET", "/jobs/{id}/events", ""),
    ("GET", "/jobs/{id}/events", "Last-Event-ID: 0\r\n"),
    ("GET", "/events?jobs={id}&after=0", ""),
]


async def test_another_callers_job_is_unknown_at_every_gateway(tmp_path):
    """Byte for byte; by WebSocket 4404. The owner sees it at either gateway, and by ticket."""
    here, there = start(tmp_path, "gateway"), start(tmp_path, "gateway", "--host", "127.0.0.1")
    with stopping(here, there):
        await asyncio.gather(here.ready(), there.ready())
        ada, bob = await key_of(here, "ada"), await key_of(here, "bob")
        async with client_of(here, ada) as client:
            job_id = await made(client)
            ticket = (await client.post("/tickets")).json()["ticket"]
        for service in (here, there):
            for method, path, more in DOORS:
                answers = []
                for name in (job_id, UNKNOWN):
                    target = path.replace("{id}", name)
                    head = (
                        f"{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                        f"Authorization: Bearer {bob}\r\n{more}\r\n"
                    )
                    answer = await raw(service, head.encode())
                    answers.append(answer.replace(name.encode(), b"ID"))
                assert answers[0] == answers[1]
                assert answers[0].startswith(b"HTTP/1.1 404 ")
            for name in (job_id, UNKNOWN):
                headers = {"additional_headers": bearing(bob)}
                async with connect(ws(service, f"?jobs={name}"), **CLOUDEVENTS, **headers) as one:
                    with pytest.raises(ConnectionClosed) as closed:
                        await asyncio.wait_for(one.recv(), 30)
                    assert closed.value.rcvd.code == 4404
                    assert closed.value.rcvd.reason == f"unknown: {name}"
            async with client_of(service, ada) as client:
                assert (await client.get(f"/jobs/{job_id}")).status_code == 200
        async with connect(ws(there, f"?ticket={ticket}"), **CLOUDEVENTS):
            pass
        for service in (here, there):
            with pytest.raises(InvalidStatus) as refused:
                await connect(ws(service, f"?ticket={ticket}"), **CLOUDEVENTS)
            assert refused.value.response.status_code == 401
    for service in (here, there):
        text = service.log.read_text()
        assert "[hidden]" in text or service is here
        for secret in (ticket, ada, bob):
            assert secret not in text


@pytest.mark.slow
async def test_owners_outlive_their_processes(tmp_path):
    """Killed and started again: the job is its owner's, each attempt and its child know whose."""
    gateway = start(tmp_path, "gateway")
    with stopping(gateway):
        await gateway.ready()
        ada, bob = await key_of(gateway, "ada"), await key_of(gateway, "bob")
        async with client_of(gateway, ada) as client:
            job_id = await made(client)
        gateway.stop(signal.SIGKILL)
    gateway, worker = start(tmp_path, "gateway", "--port", "0"), start(tmp_path, "worker")
    with stopping(gateway, worker):
        await gateway.ready()
        async with client_of(gateway, bob) as client:
            assert (await client.get(f"/jobs/{job_id}")).status_code == 404
        async with client_of(gateway, ada) as client:
            document = await until_done(client, job_id)
            assert [each["outcome"] for each in document["attempts"]] == ["error", "succeeded"]
            assert document["result"] == "ada"
        while True:
            listed = command(gateway, "jobs", "list", "--json")
            found = json.loads(listed.stdout)["jobs"]
            if [job["status"] for job in found] == ["succeeded"] * 2:
                break
        assert [(job["operation"], job["owner"]) for job in found] == [
            ("child", "ada"),
            ("whose", "ada"),
        ]


@pytest.mark.slow
async def test_a_caller_follows_all_of_their_jobs_over_two_gateways(tmp_path):
    """Without naming one: sent through one gateway, heard at the other, on both transports."""
    here, there = start(tmp_path, "gateway"), start(tmp_path, "gateway", "--host", "127.0.0.1")
    worker = start(tmp_path, "worker")
    with stopping(here, there, worker):
        await asyncio.gather(here.ready(), there.ready())
        ada, bob = await key_of(here, "ada"), await key_of(here, "bob")
        async with (
            client_of(here, ada) as client,
            client_of(here, bob) as other,
            client_of(there, ada) as listening,
            listening.stream("GET", "/events") as stream,
            connect(ws(there), **CLOUDEVENTS, additional_headers=bearing(ada)) as socket,
        ):
            lines = stream.aiter_lines()
            while not (await anext(lines)).startswith("id: "):
                pass
            await made(other)
            job_id = await made(client)
            heard = []
            while len(heard) < 8:  # five of the job, three of its child
                heard.append(json.loads(await asyncio.wait_for(socket.recv(), 30)))
            data = []
            while len(data) < 8:
                line = await asyncio.wait_for(anext(lines), 30)
                if line.startswith("data: "):
                    data.append(json.loads(line[6:]))
        assert sorted(each["id"] for each in heard) == sorted(each["id"] for each in data)
        assert len({each["subject"] for each in heard}) == 2
        assert [e["type"].rpartition(".")[2] for e in heard if e["subject"] == job_id] == [
            "queued", "running", "retrying", "running", "succeeded",
        ]  # fmt: skip


@pytest.mark.slow
async def test_keys_by_the_command(tmp_path):
    """Made, shown once, listed without a secret, revoked: then it opens nothing, within seconds."""
    gateway = start(tmp_path, "gateway")
    with stopping(gateway):
        await gateway.ready()
        shown = json.loads(keys(gateway, "create", "ada", "--expires-days", "1", "--json").stdout)
        listed = keys(gateway, "list", "--json")
        (kept,) = json.loads(listed.stdout)["keys"]
        assert shown == {**kept, "key": shown["key"]}
        secret = shown["key"].rpartition("_")[2]
        assert secret not in listed.stdout + keys(gateway, "list").stdout
        assert secret.encode() not in b"".join(
            path.read_bytes() for path in Path(tmp_path).rglob("*") if path.is_file()
        )
        async with client_of(gateway, shown["key"]) as client:
            assert (await client.post("/now")).json() == "ada"
            assert keys(gateway, "revoke", kept["id"]).returncode == 0
            while (await client.post("/now")).status_code != 401:
                await tick()
        missing = keys(gateway, "revoke", "nobody")
        assert (missing.returncode, missing.stdout) == (1, "")
        assert missing.stderr.startswith("eitherway: no key has the id nobody")
        nameless = keys(gateway, "create", "")
        assert nameless.returncode == 2
        assert "Traceback" not in nameless.stderr


NOISE = [
    b"Authorization: Bearer ew_0123456789abcdef_" + b"0" * 64,
    b"Authorization: Bearer " + b"a" * 40_000 + b".b.c",
    b"Authorization: Bearer \xff\xfe.\xfd.\xfc",
    b"Authorization: Bearer eyJhbGciOiJub25lIn0.e30.",
    b"Authorization: Bearer eyJhbGciOiJSUzI1NiIsImtpZCI6Im5vIn0.e30.AAAA",
    b"Authorization: Basic YTpi",
    b"Authorization: " + b"," * 20_000,
    b"authorization: Bearer a\r\nAuthorization: Bearer b",
    b"Authorization:",
    b"X-Nothing: 1",
]


@pytest.mark.slow
async def test_noise_is_turned_away_and_costs_little(tmp_path):
    """A thousand malformed credentials, with bodies: 401 each, and the gateway stays small."""
    url = "http://127.0.0.1:9/jwks.json"  # an issuer that is not there
    gateway = start(tmp_path, "gateway", TEST_JWKS_URL=url)
    with stopping(gateway):
        await gateway.ready()
        ada = await key_of(gateway, "ada")
        begun, before = time.monotonic(), resident(gateway)
        statuses = []
        for number in range(1_000):
            line = NOISE[number % len(NOISE)]
            head = b"POST /now HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n"
            answer = await raw(gateway, head + line + b"\r\n\r\n")
            statuses.append(answer.split(b" ", 2)[1])
        async with client_of(gateway, ada) as client:
            assert (await client.post("/now")).json() == "ada"
        down = statuses.count(b"503")  # of the one that names a key which cannot be fetched
        long = statuses.count(b"431")  # of the one that is longer than headers may be
        assert (down, long, statuses.count(b"401")) == (100, 100, 800)
        assert time.monotonic() - begun < 60
        assert resident(gateway) - before < 64 * 2**20
    text = gateway.log.read_text()
    assert "Traceback" not in text
    assert text.count("no keys from") <= 7  # once in ten seconds


def resident(service):
    """Bytes of memory of the process."""
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024

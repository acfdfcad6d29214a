"""Under everything hostile at once a normal client is served in a second, in bounded memory."""

import asyncio
import json
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from raw import Raw, exchange, post
from service import Service, tick

HERE = Path(__file__).parent
GET = b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n"
SHORT = {"EITHERWAY_HEADER_SECONDS": "2", "EITHERWAY_IDLE_SECONDS": "2"}
SECONDS = 10  # of everything at once


@contextmanager
def serving(folder, *command, **environment):
    service = Service(folder, *command)
    try:
        yield service.start(**environment)
    finally:
        service.stop()


def kibibytes(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError(pid)


def sockets(pid):
    found = 0
    for file in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found += str(file.readlink()).startswith("socket:")
        except FileNotFoundError:
            continue
    return found


@contextmanager
def hostility(url):
    """The hostile client, while the block runs; the list it gives gets what that did."""
    done = []
    command = [sys.executable, str(HERE / "hostile.py"), url]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout.readline() == "started\n"
            yield done
            process.stdin.close()
            done.append(json.loads(process.stdout.readline()))
        finally:
            process.kill()


async def call(url):
    """A normal client, with a connection for each call: in each delivery, and a look at a job."""
    body = {"key": "k", "note": ""}
    started = time.perf_counter()
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        assert (await client.post("/answers/direct", json=body)).status_code == 200
        first = time.perf_counter()
        accepted = await client.post("/increments", json=body)
        assert accepted.status_code == 202
        second = time.perf_counter()
        assert (await client.get(accepted.headers["location"])).status_code == 200
    return first - started, second - first, time.perf_counter() - second


async def calls(url, for_seconds, after_each=lambda: None):
    """How long each call of a normal client took, one after the other, in order of length."""
    seconds, until = [], time.perf_counter() + for_seconds
    while time.perf_counter() < until:
        seconds += await call(url)
        after_each()
    return sorted(seconds)


@pytest.mark.alone
@pytest.mark.slow
async def test_a_normal_client_is_served_within_a_second_under_everything_at_once(
    tmp_path, record_property
):
    """600 connections waste time, 20 talk nonsense as fast as they can, and 450 are allowed."""
    environment = {**SHORT, "EITHERWAY_OPEN_CONNECTIONS_MAX": "450"}
    with serving(tmp_path, "run", **environment) as service:
        await service.ready()
        gateway = service.children()["gateway"]
        quiet = await calls(service.url, 3)
        before, open_before = kibibytes(gateway), sockets(gateway)
        most = []
        with hostility(service.url) as done:
            seconds = await calls(service.url, SECONDS, lambda: most.append(sockets(gateway)))
            during = kibibytes(gateway)
        while sockets(gateway) > open_before:
            await tick()
        figures = {
            "calls": len(seconds),
            "p50": seconds[len(seconds) // 2],
            "p99": seconds[len(seconds) * 99 // 100],
            "max": seconds[-1],
            "max_before": quiet[-1],
            "rss_before_kib": before,
            "rss_during_kib": during,
            "sockets_most": max(most),
            **done[0],
        }
        print(json.dumps(figures))
        for name, value in figures.items():
            record_property(name, value)
        assert seconds[-1] < 1
        assert during - before < 65_536
        assert max(most) <= 450 + open_before + 20  # those that are just being closed
        assert min(done[0].values()) > 20
        assert service.children()["gateway"] == gateway
        assert "Traceback" not in service.log.read_text()


async def test_who_is_slow_is_told_so_and_let_go(tmp_path):
    """408 for half a request; nothing for none; what comes in time is served."""
    with serving(tmp_path, "gateway", **SHORT) as service:
        await service.ready()

        async def ends(data):
            async with Raw(service.url) as raw:
                await raw.send(data)
                return await raw.rest()

        body = b"POST /increments HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
        slow_head, slow_body, unread_body, silent, idle = await asyncio.gather(
            ends(b"GET /livez HT"),
            ends(body + b"content-length: 100\r\n\r\n{"),
            ends(GET.replace(b"\r\n\r\n", b"\r\ntransfer-encoding: chunked\r\n\r\n")),
            ends(b""),
            ends(GET),
        )
        for answer in (slow_head, slow_body):
            assert answer.startswith(b"HTTP/1.1 408 ")
            assert b"/problems/request-timeout" in answer
        assert unread_body.count(b"HTTP/1.1 ") == idle.count(b"HTTP/1.1 ") == 1
        assert silent == b""


async def test_a_waiting_call_is_not_held_for_a_slow_one(tmp_path):
    """The times are those of the client: whoever waits for us, waits as long as it takes."""
    with serving(tmp_path, "gateway", **SHORT) as service:
        await service.ready()
        async with httpx.AsyncClient(base_url=service.url, timeout=30) as client:
            body = {"key": "k", "note": "4.5"}
            assert (await client.post("/either", json=body)).status_code == 200


async def test_the_longest_idle_makes_room(tmp_path):
    """At the limit a new connection is served, and the one that has waited longest is closed."""
    with serving(tmp_path, "gateway", EITHERWAY_OPEN_CONNECTIONS_MAX="5") as service:
        await service.ready()
        idle = [Raw(service.url) for _ in range(5)]
        for raw in idle:
            await raw.__aenter__()
            await raw.send(GET)
            assert (await raw.reply()).status == 200
        assert (await exchange(service.url, GET)).status == 200
        assert await idle[0].rest() == b""
        await idle[4].send(GET)
        assert (await idle[4].reply()).status == 200
        for raw in idle:
            await raw.__aexit__()


async def test_a_connection_too_many_is_a_503(tmp_path):
    """Where each of the others is being served, and none can be closed."""
    go = tmp_path / "go"
    with serving(tmp_path, "gateway", EITHERWAY_OPEN_CONNECTIONS_MAX="3") as service:
        await service.ready()
        body = json.dumps({"key": "k", "note": str(go)}).encode()
        async with Raw(service.url) as first, Raw(service.url) as second, Raw(service.url) as third:
            for raw in (first, second, third):
                request = post("/held", body, "expect: 100-continue")
                await raw.send(request.removesuffix(body))
                assert (await raw.reply()).status == 100  # it is being served
                await raw.send(body)
            reply = await exchange(service.url, GET)
            assert (reply.status, reply.problem) == (503, "too-many-connections")
            assert int(reply.headers["retry-after"]) >= 1
            go.touch()
            for raw in (first, second, third):
                assert (await raw.reply()).status == 200
        assert (await exchange(service.url, GET)).status == 200

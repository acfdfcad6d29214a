"""Push between real processes: nothing missed, nothing twice, nobody harmed by somebody slow."""

import asyncio
import contextlib
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from cloudevents.core.formats.json import JSONFormat
from followers import STATES, PollFollower, SseFollower, WebSocketFollower, events_of, lives
from service import Service, tick
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tools import tool

CLOUDEVENTS = {"subprotocols": ["cloudevents.json"], "ping_interval": None, "compression": None}


def start(folder, *command, **environment):
    return Service(folder, *command, target="push_apps:app").start(**environment)


@pytest.fixture
async def served(tmp_path):
    """Gateway and worker in one process: quicker to start."""
    service = start(tmp_path, "run", "--single")
    with stopping(service):
        yield await service.ready()


@contextlib.contextmanager
def stopping(*services):
    try:
        yield
    finally:
        for service in services:
            service.stop()


def ws(service, query=""):
    return service.url.replace("http", "ws", 1) + f"/events{query}"


async def post(service, path="/two", count=1):
    """Make jobs; their ids."""
    async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
        return [(await client.post(path)).json()["id"] for _ in range(count)]


async def until_succeeded(open_socket):
    """Every CloudEvent up to a final one, as the SDK reads it."""
    events = []
    while not events or events[-1].get_type() != "eitherway.job.succeeded":
        frame = await asyncio.wait_for(open_socket.recv(), 30)
        assert isinstance(frame, str)
        events.append(JSONFormat().read(None, frame.encode()))
    return events


async def closed(open_socket):
    """The code it is closed with; what comes before that is dropped."""
    while True:
        try:
            await asyncio.wait_for(open_socket.recv(), 30)
        except ConnectionClosed as end:
            return end.rcvd.code if end.rcvd else None


async def test_an_event_reaches_a_subscriber_in_another_process(tmp_path):
    """Subscribed at one gateway, sent through another, run by a worker: every event arrives."""
    here, there = start(tmp_path, "gateway"), start(tmp_path, "gateway", "--host", "127.0.0.1")
    worker = start(tmp_path, "worker")
    with stopping(here, there, worker):
        await asyncio.gather(here.ready(), there.ready())
        async with connect(ws(here), **CLOUDEVENTS) as listening:
            (job_id,) = await post(there)
            await listening.send(f'{{"subscribe": ["{job_id}"], "after": "0"}}')
            events = await until_succeeded(listening)
    assert [event.get_type().rpartition(".")[2] for event in events] == STATES
    assert events[-1].get_data()["result"] == job_id


async def test_a_late_subscriber_gets_the_final_event_at_once(served):
    """On either transport; the stream ends, and the reconnect is told to stop (204)."""
    (job_id,) = await post(served)
    async with httpx.AsyncClient(base_url=served.url, timeout=60) as client:
        await client.get(f"/jobs/{job_id}", headers={"prefer": "wait=30"})
        async with client.stream("GET", f"/jobs/{job_id}/events") as response:
            told = [event async for event in events_of(response)]
        again = {"last-event-id": told[-1]["cursor"]}
        stopped = await client.get(f"/jobs/{job_id}/events", headers=again)
    assert [event["type"] for event in told] == ["eitherway.job.succeeded"]
    assert stopped.status_code == 204
    async with connect(ws(served, f"?jobs={job_id}"), **CLOUDEVENTS) as late:
        assert len(await until_succeeded(late)) == 1


@pytest.mark.alone
async def test_a_slow_reader_is_closed_and_the_others_hear_everything(tmp_path):
    """One reads nothing while 20 megabytes pass: at their end it finds 1013."""
    service = start(tmp_path, "gateway", EITHERWAY_PUSH_QUEUE_MAX="40")
    with stopping(service):
        await service.ready()
        jobs = await post(service, "/large", 100)
        asked = f"?jobs={','.join(jobs)}"
        async with (
            connect(ws(service, asked), **CLOUDEVENTS, max_queue=1) as slow,
            connect(ws(service, asked), **CLOUDEVENTS) as quick,
        ):
            await slow.recv()
            with stopping(start(tmp_path, "worker")):
                for _ in jobs:
                    await until_succeeded(quick)
            assert await closed(slow) == 1013
            (new,) = await post(service)
            await quick.send(f'{{"subscribe": ["{new}"]}}')
            assert new in await asyncio.wait_for(quick.recv(), 30)


WRONG = [
    ("{", 1008),
    ('{"subscribe": 1}', 1008),
    (b'{"subscribe": []}', 1003),
    ('{"subscribe": ["nope"]}', 4404),
    ('{"subscribe": ["' + "x" * 70_000 + '"]}', 1009),
    (["x" * 40_000, "x" * 40_000], 1009),  # in fragments
]


async def test_a_wrong_frame_is_answered_with_its_code(served):
    """And the gateway goes on."""
    for frame, code in WRONG:
        async with connect(ws(served), **CLOUDEVENTS) as listening:
            await listening.send(frame)
            assert await closed(listening) == code, frame[:40]
    assert await post(served)


REFUSED = [
    ({"origin": "http://evil.example"}, 403),
    ({"origin": "null"}, 403),
    ({"subprotocols": None}, 400),
    ({"subprotocols": ["chat"]}, 400),
]


async def test_a_handshake_is_refused_before_it_is_accepted(served):
    """By its status, and without a subprotocol; the page of the gateway itself may connect."""
    for options, status in REFUSED:
        with pytest.raises(InvalidStatus) as refused:
            await connect(ws(served), **{**CLOUDEVENTS, **options})
        assert refused.value.response.status_code == status
        assert "sec-websocket-protocol" not in refused.value.response.headers
    async with connect(ws(served), **CLOUDEVENTS, origin=served.url) as listening:
        assert listening.subprotocol == "cloudevents.json"


async def test_a_gateway_that_stops_sends_its_readers_elsewhere(tmp_path):
    """1012, and the end of the stream; well before the drain time is over."""
    service = start(tmp_path, "gateway", EITHERWAY_DRAIN_SECONDS="60")
    with stopping(service):
        await service.ready()
        (job_id,) = await post(service)
        async with (
            httpx.AsyncClient(base_url=service.url, timeout=60) as client,
            client.stream("GET", f"/jobs/{job_id}/events") as stream,
            connect(ws(service, f"?jobs={job_id}"), **CLOUDEVENTS) as listening,
        ):
            told = events_of(stream)
            await anext(told)
            await listening.recv()
            service.process.terminate()
            assert await closed(listening) == 1012
            with pytest.raises(StopAsyncIteration):
                await anext(told)
        assert await asyncio.to_thread(service.process.wait, 20) == 0


@pytest.mark.alone
@pytest.mark.slow
async def test_ten_thousand_events_survive_a_hundred_cuts(tmp_path):
    """On each transport, at two gateways in turn: per job in order, neither gap nor repeat."""
    here, there = start(tmp_path, "gateway"), start(tmp_path, "gateway", "--host", "127.0.0.1")
    with stopping(here, there):
        await asyncio.gather(here.ready(), there.ready())
        made = await asyncio.gather(*(post(here, count=200) for _ in range(10)))
        jobs = [job_id for some in made for job_id in some]
        groups = [jobs[place : place + 100] for place in range(0, len(jobs), 100)]
        kinds = [(WebSocketFollower, 2), (SseFollower, 2), (PollFollower, 1)]
        followers = [
            kind([here.url, there.url], group, cuts, seed)
            for seed, group in enumerate(groups)
            for kind, cuts in kinds
        ]
        following = [asyncio.ensure_future(follower.follow()) for follower in followers]
        pushed = [each for each in followers if not isinstance(each, PollFollower)]
        while not all(len(each.events) == 100 for each in pushed):  # all are told what is queued
            await tick()
        worker = start(tmp_path, "worker")
        with stopping(worker):
            await asyncio.wait_for(asyncio.gather(*following), 240)
    assert sum(follower.cuts for follower in followers) == 100
    whole = [(number, state) for number, state in enumerate(STATES, 1)]
    for follower in pushed:
        assert list(lives(follower)) == [whole] * 100
    for follower in followers:
        if isinstance(follower, PollFollower):
            for life in lives(follower):
                assert [each for each in whole if each in life] == life
                assert life[-1] == whole[-1]


@pytest.mark.slow
async def test_the_settings_of_the_gateway_conform_to_rfc_6455(tmp_path):
    """Autobahn's cases, without compression, against an echo that is served as the gateway is."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    echo_py = str(Path(__file__).parent / "echo.py")
    echo = await asyncio.create_subprocess_exec(sys.executable, echo_py, str(port))
    try:
        url = f"ws://127.0.0.1:{port}/echo"
        while True:
            with contextlib.suppress(OSError):
                async with connect(url):
                    break
            assert echo.returncode is None
            await tick()
        kosoku = tool("kosoku")
        command = [kosoku, url, "-x", "9.*", "-x", "12.*", "-x", "13.*", "-o", str(tmp_path)]
        ran = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
    finally:
        echo.terminate()
        await echo.wait()
    assert "247 cases passed" in ran.stdout + ran.stderr, ran.stdout + ran.stderr

"""One trace, from a POST through a worker's death, a retry and a child job to the events (TR-2)."""

import asyncio
import json
import os
import signal
from contextlib import ExitStack

import httpx
import pytest
from cloudevents.core.formats.json import JSONFormat
from service import Service, tick, until_done
from websockets.asyncio.client import connect

from eitherway.trace import starting

pytestmark = pytest.mark.slow

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GIVEN = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "b=2,a=1"}


async def lines_of(file, count):
    """What the attempts wrote, as (name, job, traceparent, tracestate)."""
    while not file.exists() or len(lines := file.read_text().splitlines()) < count:
        await tick()
    return [tuple(line.split(" ")) for line in lines]


async def last_event(url, job_id):
    """The terminal event, as each transport tells it to who comes late, read by the SDK."""
    read = JSONFormat()
    query = f"/events?jobs={job_id}"
    options = {"subprotocols": ["cloudevents.json"], "compression": None}
    async with connect(url.replace("http", "ws", 1) + query, **options) as socket:
        over_socket = read.read(None, (await asyncio.wait_for(socket.recv(), 30)).encode())
    async with (
        httpx.AsyncClient(base_url=url, timeout=30) as client,
        client.stream("GET", f"/jobs/{job_id}/events") as stream,
    ):
        async for line in stream.aiter_lines():
            if line.startswith("data: "):
                return over_socket, read.read(None, line.removeprefix("data: ").encode())
    raise AssertionError(job_id)


@pytest.mark.parametrize("headers", [GIVEN, {}], ids=["of the caller", "of its own"])
async def test_one_trace_goes_through_a_death_a_retry_a_child_and_the_events(tmp_path, headers):
    """Each attempt is another span of it; the events name where the job started, always."""
    file = tmp_path / "seen"
    environment = {"EITHERWAY_LOG_FORMAT": "json", "EITHERWAY_ACCESS_LOG": "true"}
    with ExitStack() as stack:

        def start(command):
            service = Service(tmp_path, command, target="traced_apps:app")
            stack.callback(service.stop)
            return service.start(**environment)

        gateway, worker = start("gateway"), start("worker")
        await gateway.ready()
        async with httpx.AsyncClient(base_url=gateway.url, timeout=30) as client:
            body = {"file": str(file)}
            job_id = (await client.post("/first", json=body, headers=headers)).json()["id"]
            await lines_of(file, 1)
            os.kill(worker.process.pid, signal.SIGKILL)
            start("worker")
            job = await until_done(client, job_id)
            outcomes = [attempt["outcome"] for attempt in job["attempts"]]
            assert outcomes == ["lease_lost", "error", "succeeded"]
            seen = await lines_of(file, 4)
            child_id = seen[3][1]
            await until_done(client, child_id)
        own = starting(job_id, None)
        trace = TRACE if headers else own[3:35]
        assert [name for name, *_ in seen] == ["first", "first", "first", "after"]
        assert {traceparent[3:35] for *_, traceparent, _ in seen} == {trace}
        assert len({PARENT, *(traceparent[36:52] for *_, traceparent, _ in seen)}) == 5
        assert {state for *_, state in seen} == {headers.get("tracestate", "")}
        assert gateway.stop() == 0
        gateway.log.write_text("")
        gateway = start("gateway")
        await gateway.ready()
        started = {
            job_id: headers.get("traceparent", own),
            child_id: seen[2][2],
        }
        for each, traceparent in started.items():
            for event in await last_event(gateway.url, each):
                assert event.get_type() == "eitherway.job.succeeded"
                assert event.get_extension("traceparent") == traceparent
                assert event.get_extension("tracestate") == headers.get("tracestate")
        logged = [json.loads(line) for line in worker.log.read_text().splitlines()]
        attempts = [line for line in logged if line["logger"] == "eitherway.attempt"]
        spans = {(line["trace"], line["span"]) for line in attempts}
        assert spans >= {(trace, traceparent[36:52]) for *_, traceparent, _ in seen[1:]}


async def test_a_direct_call_carries_its_trace_on_as_a_queued_one_does(tmp_path):
    """To the job that it enqueues, which another process runs."""
    file = tmp_path / "seen"
    with Service(tmp_path, "run", target="traced_apps:app") as service:
        await service.ready()
        async with httpx.AsyncClient(base_url=service.url, timeout=30) as client:
            answer = await client.post("/now", json={"file": str(file)}, headers=GIVEN)
            assert answer.status_code == 200
        now, after = await lines_of(file, 2)
        assert (now[2][:36], after[2][:36]) == (f"00-{TRACE}-",) * 2
        assert len({PARENT, now[2][36:52], after[2][36:52]}) == 3
        assert now[3] == after[3] == GIVEN["tracestate"]

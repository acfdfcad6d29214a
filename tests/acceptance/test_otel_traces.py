"""Spans of real processes, sent over OTLP: one trace, from a POST to being told (TR-3)."""

import asyncio
import base64
import gzip
import json
from contextlib import ExitStack

import httpx
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from service import HERE, Service, until_done
from websockets.asyncio.client import connect

from sink import Sink

pytestmark = pytest.mark.slow

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CALLER = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "b=2,a=1"}
SECRET = "whsec_" + base64.b64encode(b"what the callbacks are signed by").decode()


def requests(collector, kind):
    """What the collector was sent."""
    for got in collector.received:
        zipped = got.headers.get("content-encoding") == "gzip"
        yield kind.FromString(gzip.decompress(got.body) if zipped else got.body)


def counted(collector, name):
    """What a counter of the operation has come to, over all processes: by its error's type."""
    last = {}
    for sent in requests(collector, ExportMetricsServiceRequest):
        for resource in sent.resource_metrics:
            metrics = [one for scope in resource.scope_metrics for one in scope.metrics]
            for point in [p for one in metrics if one.name == name for p in one.sum.data_points]:
                named = {one.key: one.value.string_value for one in point.attributes}
                if named["messaging.destination.name"] == "twice":
                    last[point.start_time_unix_nano, named.get("error.type")] = point.as_int
    return {error: count for (_, error), count in last.items()}


def exported(collector):
    """What the collector has: (service, span), and the attributes of each span."""
    found = []
    for sent in requests(collector, ExportTraceServiceRequest):
        for resource in sent.resource_spans:
            named = {one.key: one.value.string_value for one in resource.resource.attributes}
            for scope in resource.scope_spans:
                found += [(named["service.name"], span) for span in scope.spans]
    return found


def attribute(span, name):
    (found,) = [one.value for one in span.attributes if one.key == name]
    return found.string_value or found.int_value


async def ask_and_listen(folder, receiver, environment):
    """A request to a gateway, run by a worker, its end told to us: (job, event, callback)."""
    with ExitStack() as stack:

        def start(command):
            service = Service(folder, command, target="otel_apps:app")
            stack.callback(service.stop)
            return service.start(**environment)

        gateway = start("gateway")
        await gateway.ready()
        async with httpx.AsyncClient(base_url=gateway.url, timeout=60) as client:
            asked = {**CALLER, "callback-url": receiver.url}
            job_id = (await client.post("/twice", headers=asked)).json()["id"]
            address = f"{gateway.url.replace('http', 'ws', 1)}/events?jobs={job_id}"
            async with connect(address, subprotocols=["cloudevents.json"]) as socket:
                worker = start("worker")
                told = {"type": ""}
                while told["type"] != "eitherway.job.succeeded":
                    told = json.loads(await asyncio.wait_for(socket.recv(), 30))
            (callback,) = await receiver.got(1)
            document = await until_done(client, job_id)
        for process in (worker, gateway):  # what is left is sent on the way out
            assert await asyncio.to_thread(process.stop) == 0
        return document, told, callback


async def test_one_trace_goes_from_the_post_through_two_attempts_to_who_is_told(tmp_path):
    """Over two processes; each span is the child of the one that caused it."""
    async with Sink(200) as collector, Sink(200) as counts, Sink() as receiver:
        environment = {
            "EITHERWAY_OTEL": "true",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": collector.url,
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": counts.url,
            "EITHERWAY_CALLBACK_URLS": receiver.url,
            "EITHERWAY_CALLBACK_SECRETS": SECRET,
            "EITHERWAY_CALLBACK_NETWORKS": "127.0.0.0/8",
        }
        document, told, callback = await ask_and_listen(tmp_path, receiver, environment)
        found = exported(collector)
        sent_jobs = counted(counts, "messaging.client.sent.messages")
        attempts = counted(counts, "messaging.client.consumed.messages")
    assert sent_jobs == {None: 1}
    assert attempts == {"RuntimeError": 1, None: 1}
    assert {service for service, _ in found} == {"spanned"}

    def named(name):
        return [span for _, span in found if span.name == name]

    (served,), (sent,), tries = named("POST /twice"), named("send twice"), named("process twice")
    (over_socket,), (posted,) = named("tell websocket"), named("POST")
    (event,), (created,) = named("process eitherway.event"), named("create eitherway.callback")
    (delivered,) = named("process eitherway.callback")
    spans = [served, sent, *tries, over_socket, event, created, delivered, posted]
    assert {(span.trace_id.hex(), span.trace_state) for span in spans} == {(TRACE, "b=2,a=1")}
    assert served.parent_span_id.hex() == PARENT
    assert sent.parent_span_id == served.span_id
    assert [one.parent_span_id for one in (*tries, over_socket, event)] == [sent.span_id] * 4
    assert created.parent_span_id == event.span_id
    assert delivered.parent_span_id == created.span_id
    assert posted.parent_span_id == delivered.span_id
    assert [attribute(one, "eitherway.outcome") for one in tries] == ["error", "succeeded"]
    assert attribute(tries[0], "error.type") == "RuntimeError"
    assert document["result"][36:52] == tries[1].span_id.hex()
    assert told["traceparent"][36:52] == sent.span_id.hex()
    assert callback.headers["traceparent"] == f"00-{TRACE}-{posted.span_id.hex()}-01"
    assert callback.headers["tracestate"] == "b=2,a=1"
    assert callback.event["traceparent"] == told["traceparent"]


async def test_without_an_sdk_there_is_a_warning_that_says_what_to_do(tmp_path):
    """And the service goes on."""
    hidden = tmp_path / "sitecustomize.py"
    hidden.write_text("import sys\nsys.modules['opentelemetry.sdk.trace'] = None\n")
    service = Service(tmp_path, "run", "--single", target="apps:app")
    service.start(EITHERWAY_OTEL="true", PYTHONPATH=f"{tmp_path}:{HERE}")
    try:
        await service.ready()
    finally:
        service.stop()
    assert "EITHERWAY_OTEL is on and nothing is sent: " in service.log.read_text()
    assert "Traceback" not in service.log.read_text()

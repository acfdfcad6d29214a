"""Spans of OpenTelemetry: made with its API, seen by its SDK (TR-3)."""

import asyncio
import subprocess
import sys
from contextvars import Context as Variables

import pytest
from opentelemetry import metrics
from opentelemetry import trace as otel
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from wire import Sse, connected

from eitherway import App, Context, Reject, Retry
from eitherway.settings import Settings
from eitherway.testing import TestApp

ID, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GIVEN = f"00-{ID}-{PARENT}-01"
HEADERS = {"traceparent": GIVEN, "tracestate": "b=2,a=1"}

OUTSIDE = Variables()  # of no attempt

app = App("spanned")
orders = app.table("orders", dict, key="id")


@app.operation(retry=Retry(attempts=2, base_seconds=1))
async def child(ctx: Context) -> str:
    """Fails at first."""
    if ctx.attempt == 1:
        raise OSError("again")
    return ctx.traceparent


@app.operation(batch_max=10)
def batch(ctx: Context, items: list[int]) -> list[str]:
    traces = []
    for index in range(len(items)):
        with ctx.item(index) as item:
            traces.append(item.traceparent)
    return traces


@app.post("/direct", name="direct")
def direct(ctx: Context) -> str:
    """A plain handler, with a span of its own, and a job of its own."""
    with otel.get_tracer("user").start_as_current_span("inside"):
        ctx.enqueue(child)
    return ctx.traceparent


@app.post("/queued/{kind}", name="queued", delivery="queued", retry=Retry(base_seconds=1))
async def queued(ctx: Context, kind: str) -> str:
    if kind == "rejects":
        raise Reject("no")
    if kind == "races":
        count = await orders.get("count", {"id": "count", "runs": 0})
        if not count["runs"]:
            racing = asyncio.create_task(orders.put({"id": "count", "runs": 1}), context=OUTSIDE)
            await racing
        await orders.put({**count, "runs": 2})
    return ctx.traceparent


@pytest.fixture(scope="module")
def exporter():
    """What the one provider of this process exported."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    otel.set_tracer_provider(provider)
    return exporter


@pytest.fixture(scope="module")
def reader():
    """What the one meter provider of this process measured."""
    reader = InMemoryMetricReader()
    metrics.set_meter_provider(MeterProvider([reader]))
    return reader


def points_of(reader):
    """Of each instrument: how often, by its attributes."""
    data = reader.get_metrics_data()
    found = {}
    for one in [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics]:
        for point in one.data.data_points:
            count = point.count if hasattr(point, "count") else point.value
            found.setdefault(one.name, {})[frozenset(point.attributes.items())] = count
    return found


@pytest.fixture
async def spanned(exporter, monkeypatch):
    monkeypatch.setenv("EITHERWAY_OTEL", "true")
    async with TestApp(app) as test_app:
        exporter.clear()
        yield test_app


async def finish(spanned):
    for _ in range(4):
        await spanned.drain()
        await spanned.advance(2)


def spans_of(exporter):
    """By name, in the order in which they ended."""
    found = {}
    for span in exporter.get_finished_spans():
        found.setdefault(span.name, []).append(span)
    return found


def parent_of(span):
    return f"{span.parent.span_id:016x}" if span.parent else None


def id_of(span):
    return f"{span.context.span_id:016x}"


def header_of(span):
    return f"00-{span.context.trace_id:032x}-{id_of(span)}-{span.context.trace_flags:02x}"


async def test_a_queued_request_is_a_server_a_send_and_a_process_span(spanned, exporter, caplog):
    """Each the child of the one before, in the caller's trace; named as the conventions say."""
    answer = await spanned.request("POST", "/queued/x", headers=HEADERS)
    job_id = answer.json()["id"]
    await finish(spanned)
    found = spans_of(exporter)
    assert list(found) == ["send queued", "POST /queued/{kind}", "process queued"]
    (served,), (sent,), (processed,) = (
        found[name] for name in ("POST /queued/{kind}", "send queued", "process queued")
    )
    assert [parent_of(span) for span in (served, sent, processed)] == [
        PARENT, id_of(served), id_of(sent),
    ]  # fmt: skip
    assert {f"{span.context.trace_id:032x}" for span in (served, sent, processed)} == {ID}
    assert [span.kind for span in (served, sent, processed)] == [
        SpanKind.SERVER, SpanKind.PRODUCER, SpanKind.CONSUMER,
    ]  # fmt: skip
    assert {span.context.trace_state.to_header() for span in (served, sent)} == {"b=2,a=1"}
    assert dict(served.attributes) == {
        "http.request.method": "POST",
        "url.path": "/queued/x",
        "url.scheme": "http",
        "http.route": "/queued/{kind}",
        "http.response.status_code": 202,
    }
    message = {
        "messaging.system": "eitherway",
        "messaging.destination.name": "queued",
        "messaging.message.id": job_id,
        "messaging.message.conversation_id": job_id,
    }
    assert dict(sent.attributes) == {
        **message, "messaging.operation.name": "send", "messaging.operation.type": "send",
    }  # fmt: skip
    assert dict(processed.attributes) == {
        **message,
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "eitherway.attempt": 1,
        "eitherway.outcome": "succeeded",
    }
    assert served.instrumentation_scope.name == "eitherway"
    assert served.instrumentation_scope.schema_url.endswith("/1.44.0")
    record = await spanned.runtime.read_job(job_id)
    assert (record.traceparent, record.tracestate) == (header_of(sent), "b=2,a=1")
    result = (await spanned.request("GET", f"/jobs/{job_id}/result")).json()
    assert result == header_of(processed)  # what the handler sends along
    assert [line for line in caplog.records if line.name.startswith("opentelemetry")] == []


async def test_a_direct_call_is_a_span_within_its_request_s(spanned, exporter):
    """The handler's own spans are within it, and so is a job it makes, whose retry is another."""
    answer = await spanned.request("POST", "/direct", headers=HEADERS)
    await finish(spanned)
    found = spans_of(exporter)
    (served,), (run,), (inside,) = (
        found[name] for name in ("POST /direct", "run direct", "inside")
    )
    (created,), tries = found["create child"], found["process child"]
    assert answer.json() == header_of(run)
    assert (run.kind, parent_of(run), parent_of(inside)) == (
        SpanKind.INTERNAL, id_of(served), id_of(run),
    )  # fmt: skip
    assert parent_of(created) == id_of(run)
    assert [parent_of(each) for each in tries] == [id_of(created)] * 2
    failed, succeeded = tries
    assert (failed.status.status_code, failed.attributes["error.type"]) == (
        StatusCode.ERROR, "OSError",
    )  # fmt: skip
    assert [event.name for event in failed.events] == ["exception"]
    assert (succeeded.status.status_code, "error.type" in succeeded.attributes) == (
        StatusCode.UNSET, False,
    )  # fmt: skip
    assert [span.attributes["eitherway.attempt"] for span in tries] == [1, 2]


async def test_a_run_that_ends_in_a_conflict_is_a_span_of_its_own(spanned, exporter):
    """And the one after it the attempt that committed."""
    await spanned.request("POST", "/queued/races")
    await finish(spanned)
    processed = spans_of(exporter)["process queued"]
    said = [(span.attributes["eitherway.outcome"], span.attributes.get("error.type"))
            for span in processed]  # fmt: skip
    assert said == [("conflict", "conflict"), ("succeeded", None)]
    assert len({parent_of(span) for span in processed}) == 1


async def test_an_answer_is_no_error_and_a_refusal_none_of_the_server_s(spanned, exporter):
    """Rejected, not found, too large: error.type is for failures."""
    await spanned.request("POST", "/queued/rejects")
    await spanned.request("POST", "/nowhere")
    await spanned.request("BREW", "/direct")
    await finish(spanned)
    found = spans_of(exporter)
    (rejected,), (missed,) = found["process queued"], found["POST"]
    assert rejected.attributes["eitherway.outcome"] == "rejected"
    assert missed.attributes["http.response.status_code"] == 404
    assert found["HTTP /direct"][0].attributes["http.request.method"] == "_OTHER"
    for spans in found.values():
        for span in spans:
            assert span.status.status_code is StatusCode.UNSET
            assert "error.type" not in span.attributes


async def test_items_of_a_batch_are_spans_in_their_own_traces(spanned, exporter):
    """Each under the span that sent it."""
    jobs = [await spanned.enqueue(batch, number) for number in range(3)]
    await finish(spanned)
    found = spans_of(exporter)
    assert len(found["process batch"]) == 3
    sent = {span.attributes["messaging.message.id"]: span for span in found["send batch"]}
    processed = {span.attributes["messaging.message.id"]: span for span in found["process batch"]}
    assert set(sent) == set(processed) == {job.id for job in jobs}
    assert len({span.context.trace_id for span in sent.values()}) == 3
    for job in jobs:
        assert parent_of(processed[job.id]) == id_of(sent[job.id])
        assert await job.result() == header_of(processed[job.id])


async def test_each_reader_that_is_told_of_an_end_is_a_span_of_the_job_s_trace(spanned, exporter):
    """Of the end alone, over either transport; health checks are none."""
    answer = await spanned.request("POST", "/queued/x", headers=HEADERS)
    job_id = answer.json()["id"]
    socket = await connected(spanned, f"/events?jobs={job_id}")
    stream = Sse(spanned, f"/jobs/{job_id}/events")
    await finish(spanned)
    kinds = []
    while "eitherway.job.succeeded" not in kinds:
        kinds.append((await socket.event())["type"])
    await stream.over()
    await spanned.request("GET", "/livez")
    found = spans_of(exporter)
    (sent,), (over_socket,), (over_stream,) = (
        found[name] for name in ("send queued", "tell websocket", "tell sse")
    )
    for told in (over_socket, over_stream):
        assert (told.kind, parent_of(told)) == (SpanKind.PRODUCER, id_of(sent))
        assert told.attributes["messaging.message.id"] == job_id
        assert told.attributes["eitherway.status"] == "succeeded"
    assert [name for name in found if "livez" in name] == []
    socket.hear("websocket.disconnect", code=1000)
    await socket.over()


async def test_within_a_host_s_span_it_is_no_server_span_again(spanned, exporter):
    """A host that is instrumented has one for the same request; `enqueue` takes its trace, too."""
    with otel.get_tracer("host").start_as_current_span("host") as host:
        await spanned.request("POST", "/queued/x")
        await spanned.enqueue(child)
    found = spans_of(exporter)
    (served,), (sent,) = found["POST /queued/{kind}"], found["send child"]
    assert (served.kind, parent_of(served)) == (SpanKind.INTERNAL, id_of(host))
    assert parent_of(sent) == id_of(host)


async def test_a_job_that_was_accepted_without_is_of_one_trace_with_it(exporter, monkeypatch):
    """That of its id, as its events say."""
    from eitherway.otel import spans_of as made
    from eitherway.trace import starting

    async with TestApp(app) as plain:
        job = await plain.enqueue(child)
        exporter.clear()
        record = await plain.runtime.read_job(job.id)
    assert record.traceparent is None
    made(Settings(otel=True), lambda: "1" * 16).attempt(record).end("succeeded")
    (span,) = exporter.get_finished_spans()
    assert f"{span.context.trace_id:032x}" == starting(job.id, None)[3:35]


_ASKED = """
import asyncio, os, sys
from eitherway import App, Context
from eitherway.testing import TestApp
app = App("quiet")
@app.post("/now")
async def now(ctx: Context) -> str:
    return ctx.traceparent
async def main():
    async with TestApp(app) as client:
        for headers in ({}, {"traceparent": sys.argv[1]}):
            answer = await client.request("POST", "/now", headers=headers)
            print(answer.json())
asyncio.run(main())
print("opentelemetry" in sys.modules)
"""


def asked(**environment):
    command = [sys.executable, "-c", _ASKED, GIVEN]
    run = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout.split()


def test_nothing_is_imported_where_it_is_off():
    """Though it is installed, as in many environments by something else."""
    assert asked()[2] == "False"


@pytest.mark.parametrize("more", [{}, {"OTEL_SDK_DISABLED": "true"}])
def test_without_a_provider_traces_are_as_without_it(more):
    """Valid, and with a span of its own for each call."""
    own, given, imported = asked(EITHERWAY_OTEL="true", **more)
    assert imported == "True"
    assert own[3:35] != "0" * 32
    assert given[:36] == GIVEN[:36]
    assert PARENT not in given
    assert own[36:52] != given[36:52] != "0" * 16


async def test_requests_jobs_and_attempts_are_measured_without_an_id(reader, spanned):
    """As the conventions name them; what failed says of what."""
    before = points_of(reader) if reader.get_metrics_data() else {}
    assert (await spanned.request("POST", "/direct")).status == 200
    await finish(spanned)
    measured = {
        name: {key: count - before.get(name, {}).get(key, 0) for key, count in points.items()}
        for name, points in points_of(reader).items()
    }
    request = {"http.request.method": "POST", "url.scheme": "http", "http.route": "/direct"}
    ours = {"messaging.system": "eitherway", "messaging.destination.name": "child"}
    created = frozenset({**ours, "messaging.operation.name": "create"}.items())
    done = {**ours, "messaging.operation.name": "process"}
    failed = frozenset({**done, "error.type": "OSError"}.items())

    def counted(name):
        return {key: count for key, count in measured[name].items() if count}

    answered = frozenset({**request, "http.response.status_code": 200}.items())
    assert counted("http.server.request.duration") == {answered: 1}
    assert counted("messaging.client.sent.messages") == {created: 1}
    assert counted("messaging.client.operation.duration") == {created: 1}
    ended = {frozenset(done.items()): 1, failed: 1}
    assert counted("messaging.process.duration") == ended
    assert counted("messaging.client.consumed.messages") == ended

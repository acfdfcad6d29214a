"""What the client sends, what it makes of answers, when it comes back and when it gives up."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from threading import Thread
from typing import Any
from uuid import UUID

import httpx
import pytest
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from eitherway import App, ConfigurationError, EitherwayError, JobState, Retry
from eitherway.client import (
    AsyncClient,
    Client,
    ClientError,
    JobFailedError,
    NoAnswerError,
    ProblemError,
    UnexpectedResultError,
)
from eitherway.clock import SystemClock
from eitherway.testing import TestApp

PROBLEM = {"content-type": "application/problem+json"}
RECEIPT = {"operation-location": "http://elsewhere/jobs/j1"}


class Order(BaseModel):
    order_id: str
    amount: float = 1.0


@dataclass
class Line:
    sku: str
    at: datetime


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)

    at: datetime
    place: UUID = Field(alias="where")


class Server:
    """Answers by script, and keeps what it was asked. An exception in the script is raised."""

    def __init__(self, *script: httpx.Response | Exception) -> None:
        self.script = list(script)
        self.asked: list[httpx.Request] = []
        self.pauses: list[float] = []

    def client(self, **options: Any) -> AsyncClient:
        return AsyncClient(
            "http://shop/base/",
            http=httpx.AsyncClient(transport=httpx.MockTransport(self._answer)),
            clock=Pauses(self.pauses),
            **options,
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.script.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def sent(self, name: str) -> list[str | None]:
        return [request.headers.get(name) for request in self.asked]


class Pauses(SystemClock):
    """Notes the pauses, which take no time but its own."""

    def __init__(self, pauses: list[float]) -> None:
        self._pauses = pauses

    def monotonic(self) -> float:
        return 1000.0 + sum(self._pauses)

    async def sleep(self, seconds: float) -> None:
        self._pauses.append(seconds)


def problem(status: int, name: str = "x", **headers: str) -> httpx.Response:
    document = {"type": f"/problems/{name}", "title": "No", "status": status, "detail": "not so"}
    return httpx.Response(status, json=document, headers={**PROBLEM, **headers})


def job(status: str, **more: Any) -> dict[str, Any]:
    done = status in ("succeeded", "failed", "canceled")
    return {"id": "j1", "status": status, "done": done, **more}


def accepted(status: str = "queued", **more: Any) -> httpx.Response:
    return httpx.Response(202, json=job(status, **more), headers=RECEIPT)


def shown(status: str, **more: Any) -> httpx.Response:
    return httpx.Response(200, json=job(status, **more))


# -- what is sent ---------------------------------------------------------------------------------


async def test_what_a_request_has() -> None:
    server = Server(httpx.Response(200, json=1), httpx.Response(200, json=2))
    client = server.client(token="t", headers={"X-Tenant": "a"})
    trace = {"Traceparent": "00-1-2-01", "x-tenant": "b"}
    await client.call("post", "/a?b=1", json=Order(order_id="o"), headers=trace)
    await client.call("GET", "/a", params={"c": 2})
    first, second = server.asked
    assert (str(first.url), str(second.url)) == ("http://shop/base/a?b=1", "http://shop/base/a?c=2")
    assert first.content == b'{"order_id":"o","amount":1.0}'
    assert first.headers["content-type"] == "application/json"
    assert first.headers["traceparent"] == "00-1-2-01"
    assert server.sent("x-tenant") == ["b", "a"]
    assert server.sent("authorization") == ["Bearer t", "Bearer t"]
    assert server.sent("prefer") == ["wait=20", None]
    assert UUID(first.headers["idempotency-key"].strip('"'))
    assert "idempotency-key" not in second.headers
    assert "content-type" not in second.headers


@pytest.mark.parametrize(
    ("given", "body"),
    [
        (Line("s", datetime(2027, 1, 1, tzinfo=UTC)), b'{"sku":"s","at":"2027-01-01T00:00:00Z"}'),
        ([Order(order_id="o")], b'[{"order_id":"o","amount":1.0}]'),
        (None, b"null"),
        ({"a": [1, "ä"]}, '{"a":[1,"ä"]}'.encode()),
    ],
)
async def test_bodies_are_models_dataclasses_and_plain_json(given: Any, body: bytes) -> None:
    server = Server(httpx.Response(200, json=None))
    await server.client().call("POST", "/a", json=given)
    assert server.asked[0].content == body


async def test_a_given_key_is_sent_as_a_structured_string() -> None:
    server = Server(httpx.Response(200, json=None))
    await server.client().submit("PUT", "/a", idempotency_key='order-"1"\\')
    assert server.sent("idempotency-key") == [r'"order-\"1\"\\"']
    assert server.sent("prefer") == ["respond-async"]


async def test_a_call_does_not_ask_to_wait_for_longer_than_it_does() -> None:
    server = Server(*[httpx.Response(200, json=None)] * 3)
    for seconds in (0.5, 7.9, 100):
        await server.client().call("POST", "/a", timeout_seconds=seconds)
    assert server.sent("prefer") == ["wait=1", "wait=7", "wait=20"]


@pytest.mark.parametrize("path", ["orders", "http://elsewhere/orders", ""])
async def test_only_paths_of_the_server_are_asked(path: str) -> None:
    with pytest.raises(ConfigurationError, match="begins with '/'"):
        await Server().client().call("GET", path)


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="give http"):
        AsyncClient("shop.example")


# -- results --------------------------------------------------------------------------------------


async def test_a_result_is_of_its_type_whichever_way_it_comes() -> None:
    value = {"at": "2027-01-01T00:00:00Z", "where": "8e03978e-40d5-43dd-bc93-6894a57f9324"}
    direct = Server(httpx.Response(201, json=value))
    later = Server(accepted(), shown("running"), shown("succeeded", result=value))
    results = [await s.client().call("POST", "/a", result=Strict) for s in (direct, later)]
    assert results == [Strict.model_validate_json(httpx.Response(200, json=value).content)] * 2
    assert later.sent("prefer") == ["wait=20"] * 3
    assert [str(request.url) for request in later.asked[1:]] == ["http://shop/base/jobs/j1"] * 2
    assert len(later.pauses) == 1, "a gateway that does not wait is not asked all the time"
    assert 0.5 <= later.pauses[0] <= 1


async def test_results_may_be_unions_lists_or_nothing() -> None:
    server = Server(*[httpx.Response(200, json=[{"order_id": "o"}])] * 2, httpx.Response(204))
    client, either = server.client(), TypeAdapter(list[Order] | None)
    assert await client.call("GET", "/a", result=either) == [Order(order_id="o")]
    assert await client.call("GET", "/a") == [{"order_id": "o"}]
    assert await client.call("DELETE", "/a", result=either) is None


async def test_a_202_without_a_job_is_a_result() -> None:
    job = await Server(httpx.Response(202, json=5)).client().submit("POST", "/a", result=int)
    assert (job.id, await job.result(), await job.status()) == (None, 5, JobState.SUCCEEDED)
    assert (await job.document())["result"] == 5
    assert [event async for event in job.events()] == []
    assert await job.cancel() is False


@pytest.mark.parametrize("body", [b'{"amount": 1}', b"<html>", b""])
async def test_a_result_that_is_something_else_is_said_to_be(body: bytes) -> None:
    server = Server(httpx.Response(200, content=body))
    with pytest.raises(UnexpectedResultError, match="does not fit"):
        await server.client().call("GET", "/a", result=Order)


async def test_the_prefix_is_where_jobs_are() -> None:
    server = Server(shown("running"))
    assert await server.client(prefix="/api/").job("a/b").status() is JobState.RUNNING
    assert server.asked[0].url.raw_path == b"/base/api/jobs/a%2Fb"


async def test_a_job_without_a_record_yet_is_asked_for_as_its_receipt_says() -> None:
    """A queue has it, whose id alone says nothing: the links of the receipt say since when."""
    links = {"self": "http://shop/base/jobs/j1?accepted=17"}
    server = Server(
        accepted(recorded=False, links=links),
        shown("queued", recorded=False),
        shown("succeeded", result=1),
        httpx.Response(204),
    )
    job = await server.client().submit("POST", "/a")
    assert await job.result() == 1
    assert [event async for event in job.events()] == []
    assert [request.url.raw_path for request in server.asked[1:]] == [
        b"/base/jobs/j1?accepted=17",
        b"/base/jobs/j1?accepted=17",
        b"/base/jobs/j1/events?accepted=17",
    ]


async def test_who_is_told_that_it_ended_does_not_delete_it() -> None:
    """A DELETE would hide it, and its result."""
    server = Server(shown("succeeded"), shown("queued"), httpx.Response(204))
    job = server.client().job("j1")
    assert [await job.cancel(), await job.cancel()] == [False, False]
    assert [request.method for request in server.asked] == ["GET", "GET", "DELETE"]


# -- coming back ----------------------------------------------------------------------------------


async def test_repeats_have_one_key_and_calls_have_their_own() -> None:
    lost = httpx.ReadError("cut")
    server = Server(lost, problem(503, **{"retry-after": "1"}), lost, *[accepted()] * 2)
    client = server.client()
    await client.submit("POST", "/a")
    await client.submit("POST", "/a")
    keys = server.sent("idempotency-key")
    assert len(set(keys[:4])) == 1
    assert keys[4] not in keys[:4]


ASK_AGAIN = {
    "overloaded": problem(503, "overloaded", **{"retry-after": "3"}),
    "too many": problem(429, **{"retry-after": "3"}),
    "being run": problem(409, "idempotency-key-in-use", **{"retry-after": "3"}),
    "a proxy's 502": httpx.Response(502, html="<h1>Bad Gateway"),
    "a proxy's 503": httpx.Response(503),
    "a proxy's 504": httpx.Response(504),
    "refused": httpx.ConnectError("refused"),
    "cut": httpx.RemoteProtocolError("cut"),
    "silent": httpx.ReadTimeout(""),
}
FINAL = {
    "wrong": problem(422, "invalid-input"),
    "in conflict": problem(409, "rejected"),
    "a failed handler": problem(500, "internal-error"),
    "a failed job": problem(503, "retry-later"),
    "late": problem(504, "timed-out"),
    "not there": problem(404, "not-found"),
    "elsewhere": httpx.Response(307, headers={"location": "/b"}),
}


@pytest.mark.parametrize("name", ASK_AGAIN)
async def test_what_may_be_otherwise_later_is_asked_again(name: str) -> None:
    server = Server(ASK_AGAIN[name], httpx.Response(200, json=1))
    assert await server.client().call("POST", "/a") == 1
    (pause,) = server.pauses
    least = {"overloaded": 3.0, "too many": 3.0, "being run": 3.0}.get(name, 0.0)
    assert least <= pause <= least + 0.1


async def test_retry_after_may_be_a_date() -> None:
    then = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    server = Server(problem(503, **{"retry-after": then}), httpx.Response(200, json=1))
    assert await server.client(patience_seconds=9000).call("POST", "/a") == 1
    assert 3000 < server.pauses[0] < 3601


@pytest.mark.parametrize("name", FINAL)
async def test_what_stays_as_it_is_is_an_error_at_once(name: str) -> None:
    server = Server(FINAL[name])
    with pytest.raises(ProblemError) as refused:
        await server.client().call("POST", "/a")
    assert refused.value.status == FINAL[name].status_code
    assert server.pauses == []


async def test_pauses_grow_with_jitter_and_end() -> None:
    """After so many tries, with the last one's error."""
    server = Server(*[httpx.ConnectError("refused")] * 6)
    retry = Retry(attempts=6, base_seconds=1, ceiling_seconds=4)
    with pytest.raises(NoAnswerError, match=r"^POST /a: refused$") as given_up:
        await server.client(retry=retry).call("POST", "/a")
    assert isinstance(given_up.value.__cause__, httpx.ConnectError)
    assert len(server.pauses) == 5
    assert all(p <= most for p, most in zip(server.pauses, (1, 2, 4, 4, 4), strict=True))
    assert len(set(server.pauses)) == 5


async def test_it_does_not_wait_for_longer_than_it_is_patient() -> None:
    busy = problem(503, "overloaded", **{"retry-after": "20"})
    server = Server(*[busy] * 3)
    with pytest.raises(ProblemError, match="503 No: not so") as given_up:
        await server.client(patience_seconds=50).call("POST", "/a")
    assert given_up.value.name == "overloaded"
    assert len(server.asked) == 3


async def test_what_can_never_be_sent_is_not_sent_again() -> None:
    server = Server(httpx.LocalProtocolError("an illegal header"))
    with pytest.raises(NoAnswerError, match="an illegal header"):
        await server.client().call("POST", "/a")
    assert server.pauses == []


async def test_failures_are_counted_in_a_row() -> None:
    """A job that takes days may lose its gateway each day."""
    cut = [httpx.ReadError("cut"), httpx.ReadError("cut"), shown("running")]
    server = Server(*cut * 10, shown("succeeded", result=1))
    assert await server.client(retry=Retry(attempts=3)).job("j1").result() == 1


async def test_a_failed_job_says_what_a_direct_call_says() -> None:
    error = {"type": "/problems/x", "title": "No", "status": 409, "detail": "not so"}
    server = Server(shown("failed", error={**error, "kind": "rejected"}), problem(409))
    client = server.client()
    with pytest.raises(JobFailedError, match="job j1 failed: 409 No: not so") as failed:
        await client.job("j1").result()
    with pytest.raises(ProblemError) as refused:
        await client.call("POST", "/a")
    assert (failed.value.problem, failed.value.status) == (refused.value.problem, 409)
    assert failed.value.kind == "rejected"
    assert issubclass(ClientError, EitherwayError)


# -- events ---------------------------------------------------------------------------------------


def told(*events: tuple[int, str], reset: bool = False) -> httpx.Response:
    """A stream of these, cut off after them."""
    lines = ["retry: 1000\n\n", ": a comment\n\n"]
    for sequence, status in events:
        data = job(status, note="one line\u2028still")
        event = {
            "id": f"j1.{sequence}",
            "type": f"eitherway.job.{status}",
            "subject": "j1",
            "time": "2027-01-01T00:00:00Z",
            "sequence": f"{sequence:012}",
            "cursor": f"c{sequence}",
            "data": data,
        }
        text = TypeAdapter(Any).dump_json(event).decode()
        lines.append(f"{'event: reset' if reset else ':'}\nid: c{sequence}\ndata: {text}\n\n")
    kind = {"content-type": "text/event-stream; charset=utf-8"}
    return httpx.Response(200, content="".join(lines).encode(), headers=kind)


async def events_of(server: Server, after: str | None = None) -> list[tuple[int, str]]:
    client = server.client(retry=Retry(attempts=4, base_seconds=0.1))
    events = [event async for event in client.job("j1").events(after)]
    assert all(event.data["note"] == "one line\u2028still" for event in events)
    return [(event.sequence, event.status.value) for event in events]


async def test_each_event_comes_once_through_cuts() -> None:
    queued, running, ended = (1, "queued"), (2, "running"), (3, "succeeded")
    server = Server(
        told(queued),
        httpx.ConnectError("refused"),
        problem(503, **{"retry-after": "1"}),
        told(running),
        told(running, reset=True),
        told(ended),
    )
    assert await events_of(server) == [queued, running, ended]
    assert server.sent("last-event-id") == [None, "c1", "c1", "c1", "c2", "c2"]
    assert server.sent("accept") == ["text/event-stream"] * 6


async def test_events_end_where_there_are_no_more() -> None:
    server = Server(httpx.Response(204))
    assert await events_of(server, after="c9") == []
    assert server.sent("last-event-id") == ["c9"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (problem(404, "unknown-job"), ProblemError),
        (httpx.ReadError("cut"), NoAnswerError),
        (told(), NoAnswerError),  # ended, and nothing was told
        (httpx.Response(200, html="<html>"), NoAnswerError),
        (problem(503, **{"retry-after": "1"}), ProblemError),
    ],
)
async def test_events_give_up_as_requests_do(answer: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        await events_of(Server(*[answer] * 4))


async def test_a_stream_that_waited_in_vain_is_no_failure() -> None:
    """A function cannot stream: it waits for news, then lets its reader come back."""

    async def waiting() -> AsyncIterator[bytes]:
        yield b"retry: 1000\n\n"
        server.pauses.append(25.0)

    kind = {"content-type": "text/event-stream"}
    vain = [httpx.Response(200, content=waiting(), headers=kind) for _ in range(9)]
    server = Server(*vain, told((1, "succeeded")))
    assert await events_of(server) == [(1, "succeeded")]
    assert server.pauses == [25.0] * 9


# -- plain code -----------------------------------------------------------------------------------


def plain(server: Server, **options: Any) -> Client:
    http = httpx.AsyncClient(transport=httpx.MockTransport(server._answer))
    return Client("http://shop", http=http, clock=Pauses(server.pauses), **options)


def test_a_plain_client_does_the_same() -> None:
    server = Server(
        httpx.Response(200, json={"order_id": "o"}),
        accepted(),
        told((1, "queued"), (2, "succeeded")),
        shown("succeeded", result=5),
        shown("succeeded", result=5),
        *[shown("queued"), shown("canceled")],
    )
    with plain(server) as client:
        assert client.call("GET", "/a", result=Order) == Order(order_id="o")
        job = client.submit("POST", "/a", result=int)
        assert repr(job) == "Job('j1')"
        assert [event.status for event in job.events()] == ["queued", "succeeded"]
        assert (job.result(), job.status()) == (5, "succeeded")
        assert client.job("j1").cancel() is True
    client.close()
    with pytest.raises(ConfigurationError, match="closed: make another"):
        client.call("GET", "/a")


def test_events_may_be_left_and_a_client_forgotten() -> None:
    server = Server(told((1, "queued"), (2, "succeeded")), problem(404))
    client = plain(server)
    for event in client.job("j1").events():
        assert event.status == "queued"
        break
    with pytest.raises(ProblemError):
        client.job("j1").document()
    client.close()


def test_a_program_that_does_not_close_its_client_ends() -> None:
    client = plain(Server(httpx.Response(200, json=1)))
    assert client.call("GET", "/a") == 1
    thread = client._loop._thread
    assert isinstance(thread, Thread)
    assert thread.daemon
    client.close()
    assert not thread.is_alive()


# -- an app in the same process -------------------------------------------------------------------


async def test_an_app_is_called_without_a_server() -> None:
    app = App("shop")

    @app.post("/orders", delivery="queued")
    async def place_order(order: Order) -> Order:
        return order

    order = Order(order_id="o", amount=2)
    http = httpx.AsyncClient(transport=httpx.ASGITransport(app))
    async with TestApp(app) as shop, AsyncClient("http://shop", http=http) as client:
        job = await client.submit("POST", "/orders", json=order, result=Order)
        assert await job.status() is JobState.QUEUED
        await shop.drain()
        assert await asyncio.wait_for(job.result(), 30) == order
        assert [event.done async for event in job.events()] == [True]
    await http.aclose()

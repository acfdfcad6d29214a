"""The functions behind a WebSocket API and behind the stream, on moto."""

from __future__ import annotations

import asyncio
import json
import signal
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import boto3
import pytest
from recorded import Context, rest_request, socket_event

from aws import REGION, moto
from eitherway import App
from eitherway.auth import Authenticator, Principal
from eitherway.engines.aws import names, tables
from eitherway.engines.aws.channels import Channels, Connection
from eitherway.engines.aws.codec import to_image
from eitherway.engines.aws.rows import Row, Told
from eitherway.engines.aws.stream import events_of
from eitherway.errors import EngineUnavailableError
from eitherway.job import JobState
from eitherway.lambdas.environment import Environment, Invocation
from eitherway.lambdas.http import answer
from eitherway.lambdas.socket import serve
from eitherway.lambdas.stream import tell

STACK = "chat"


class ByName(Authenticator):
    """Believes what a header says."""

    credential_headers = ("x-user",)

    async def authenticate(self, headers: Mapping[str, str]) -> Principal | None:
        name = headers.get("x-user")
        return None if name is None else Principal(name)


@pytest.fixture(scope="module")
def aws() -> Iterator[dict[str, str]]:
    with moto() as environment:
        yield environment


class Functions:
    """The functions of one app, and the table of its connections."""

    def __init__(self, app: App) -> None:
        self._environment = Environment(serving=True, app=app)
        self._table = tables.channels(STACK)
        self._dynamo = boto3.client("dynamodb", region_name=REGION)
        self._table.pop("TimeToLiveSpecification")
        if self._table["TableName"] not in self._dynamo.list_tables()["TableNames"]:
            self._dynamo.create_table(**self._table)

    def close(self) -> None:
        self._environment.close()
        self._dynamo.close()

    def socket(self, event: dict[str, Any]) -> int:
        return int(self.run(partial(serve, event))["statusCode"])

    def http(self, event: dict[str, Any]) -> Any:
        async def work(invocation: Invocation) -> Any:
            return await answer(invocation.app, event, 5)

        return json.loads(self.run(work)["body"])

    def run(self, work: Callable[[Invocation], Any], *, seconds: float = 10) -> Any:
        return self._environment.run(Context(seconds), work)

    def row(self, table: str, key: dict[str, Any]) -> dict[str, Any]:
        """An item of a table."""
        return dict(self._dynamo.get_item(TableName=table, Key=key)["Item"])

    def rows(self, connection: str) -> set[str]:
        """The channels that a connection listens to."""
        found = self._dynamo.scan(TableName=self._table["TableName"])["Items"]
        return {one["channel"]["S"] for one in found if one["connection"]["S"] == connection}


@pytest.fixture
def functions(
    aws: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Functions]]:
    before = signal.getsignal(signal.SIGTERM)
    for name, value in aws.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("EITHERWAY_ENGINE", f"aws://{REGION}/{STACK}")
    monkeypatch.setenv("EITHERWAY_PUBLIC_URL", "https://api.example.com/live")
    monkeypatch.setenv("EITHERWAY_SOCKET_URL", "https://ws.example.com/live")
    made: list[Functions] = []

    def make(**settings: Any) -> Functions:
        app = App(STACK, **settings)

        @app.post("/notes", delivery="queued", accept="function")
        async def write(note: dict[str, str]) -> dict[str, str]:
            return note

        made.append(Functions(app))
        return made[-1]

    yield make
    for each in made:
        each.close()
    signal.signal(signal.SIGTERM, before)


def test_a_connection_listens_to_what_it_names_until_it_leaves(
    functions: Callable[..., Functions],
) -> None:
    chat = functions()
    assert chat.socket(socket_event("$connect", "c-1", query={"jobs": "j-1,j-2"})) == 200
    assert chat.rows("c-1") == {"connection#c-1", "job#j-1", "job#j-2"}
    subscribe = json.dumps({"subscribe": ["j-3"], "unsubscribe": ["j-1"]})
    assert chat.socket(socket_event("$default", "c-1", body=subscribe)) == 200
    assert chat.rows("c-1") == {"connection#c-1", "job#j-2", "job#j-3"}
    assert chat.socket(socket_event("$default", "c-1", body='{"ping": true}')) == 200
    assert chat.rows("c-1") == {"connection#c-1", "job#j-2", "job#j-3"}
    assert chat.socket(socket_event("$disconnect", "c-1")) == 200
    assert chat.rows("c-1") == set()


def test_what_a_frame_names_is_a_job_and_nothing_else(functions: Callable[..., Functions]) -> None:
    """Not somebody else's connection, and not all jobs of an owner."""
    chat = functions(auth=ByName())
    ann = {"X-User": "ann"}
    assert chat.socket(socket_event("$connect", "c-7", headers=ann)) == 200
    assert chat.socket(socket_event("$connect", "a-7", headers={"X-User": "eve"})) == 200
    frame = json.dumps({"subscribe": ["connection#c-7", "owner#ann"], "unsubscribe": ["owner#eve"]})
    assert chat.socket(socket_event("$default", "a-7", body=frame)) == 200
    assert chat.rows("a-7") == {
        "connection#a-7",
        "owner#eve",
        "job#connection#c-7",
        "job#owner#ann",
    }
    assert chat.socket(socket_event("$disconnect", "c-7")) == 200
    assert chat.rows("c-7") == set()


@pytest.mark.parametrize("body", ["", "nonsense", "{}", '{"subscribe": [1]}', '{"more": 1}'])
def test_whoever_says_nonsense_is_forgotten(functions: Callable[..., Functions], body: str) -> None:
    chat = functions()
    assert chat.socket(socket_event("$connect", "c-2")) == 200
    assert chat.socket(socket_event("$default", "c-2", body=body)) == 200
    assert chat.rows("c-2") == set()


def test_a_handshake_is_refused_as_the_gateway_refuses_it(
    functions: Callable[..., Functions],
) -> None:
    chat = functions()
    refused = {
        "no subprotocol": ({"Sec-WebSocket-Protocol": "chat"}, None, 400),
        "a page from elsewhere": ({"Origin": "https://elsewhere.example"}, None, 403),
        "a short key": ({"Sec-WebSocket-Key": "c2hvcnQ="}, None, 400),
        "too many jobs": ({}, {"jobs": ",".join(map(str, range(1_001)))}, 400),
    }
    for name, (headers, query, status) in refused.items():
        event = socket_event("$connect", "c-3", headers=headers, query=query)
        assert chat.socket(event) == status, name
    assert chat.rows("c-3") == set()
    ours = socket_event("$connect", "c-3", headers={"Origin": "https://api.example.com"})
    assert chat.socket(ours) == 200


def test_only_who_shows_a_credential_or_a_ticket_comes_in_and_hears_of_their_own(
    functions: Callable[..., Functions],
) -> None:
    chat = functions(auth=ByName())
    assert chat.socket(socket_event("$connect", "c-4")) == 401
    assert chat.socket(socket_event("$connect", "c-4", headers={"X-User": "ann"})) == 200
    assert chat.rows("c-4") == {"connection#c-4", "owner#ann"}
    ticket = chat.http(rest_request("POST", "/tickets", headers={"X-User": "bob"}))["ticket"]
    assert chat.socket(socket_event("$connect", "c-5", query={"ticket": ticket})) == 200
    assert chat.rows("c-5") == {"connection#c-5", "owner#bob"}
    assert chat.socket(socket_event("$connect", "c-6", query={"ticket": ticket})) == 401
    assert chat.socket(socket_event("$connect", "c-6", query={"ticket": "made up"})) == 401
    assert chat.rows("c-6") == set()


def test_a_change_of_the_table_is_news_of_what_its_row_says() -> None:
    row = Row(
        id="j-1",
        operation="write",
        version=1,
        state=JobState.RUNNING,
        revision=3,
        created=10.0,
        updated=12.0,
        deadline=99.0,
        due=10.0,
        attempts_max=5,
        payload=b"\x00{}",
        owner="ann",
        told=(Told(2, JobState.QUEUED, 11.0), Told(3, JobState.RUNNING, 12.0)),
    )
    events = events_of(as_streamed(to_image(row)))
    assert [(one.sequence, one.state, one.at) for one in events] == [
        (2, JobState.QUEUED, 11.0),
        (3, JobState.RUNNING, 12.0),
    ]
    assert {(one.job_id, one.owner) for one in events} == {("j-1", "ann")}
    assert events_of(None) == []
    assert events_of({"id": {"S": "j-1#answer#1"}, "bytes": {"B": "AA=="}}) == []


def as_streamed(image: Mapping[str, Any]) -> dict[str, Any]:
    """As Lambda gets it from a stream: bytes in base64."""
    return {
        name: {"B": b64encode(value["B"]).decode()} if "B" in value else value
        for name, value in image.items()
    }


def changes(chat: Functions, job_id: str) -> list[dict[str, Any]]:
    """What the stream gives of a job: one change."""
    image = chat.row(names.jobs_table(STACK), {"id": {"S": job_id}})
    change = {"SequenceNumber": f"0000{job_id}", "NewImage": as_streamed(image)}
    return [{"eventName": "MODIFY", "dynamodb": change}]


def test_who_listens_is_told_and_what_cannot_be_told_for_now_comes_again(
    functions: Callable[..., Functions], monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = functions()
    assert chat.socket(socket_event("$connect", "c-8")) == 200
    job_id = chat.http(rest_request("POST", "/notes", body={"text": "x"}))["id"]
    told: list[tuple[str, Any]] = []

    async def post(_: Channels, connection: Connection, data: bytes) -> None:
        told.append((connection.id, json.loads(data)))

    monkeypatch.setattr(Channels, "post", post)
    frame = json.dumps({"subscribe": [job_id]})
    assert chat.socket(socket_event("$default", "c-8", body=frame)) == 200
    assert chat.run(partial(tell, changes(chat, job_id))) == {"batchItemFailures": []}
    assert [(name, event["subject"]) for name, event in told] == [("c-8", job_id)] * 2

    async def away(*_: Any) -> Any:
        raise EngineUnavailableError("DynamoDB takes no more reads for now")

    monkeypatch.setattr(Channels, "listeners", away)
    again = chat.run(partial(tell, changes(chat, job_id)))
    assert again == {"batchItemFailures": [{"itemIdentifier": f"0000{job_id}"}]}
    assert len(told) == 2


def test_a_stream_s_function_ends_in_time_and_says_how_far_it_came(
    functions: Callable[..., Functions], monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = functions()
    assert chat.socket(socket_event("$connect", "c-9")) == 200
    jobs = [chat.http(rest_request("POST", "/notes", body={"text": "x"}))["id"] for _ in range(3)]
    told: list[str] = []

    async def post(_: Channels, __: Connection, data: bytes) -> None:
        if told.count(jobs[1]):
            await asyncio.Event().wait()  # as long as it takes
        told.append(json.loads(data)["subject"])

    async def nothing(*_: Any) -> None: ...

    monkeypatch.setattr(Channels, "post", nothing)
    frame = json.dumps({"subscribe": jobs})
    assert chat.socket(socket_event("$default", "c-9", body=frame)) == 200
    monkeypatch.setattr(Channels, "post", post)
    batch = [change for job_id in jobs for change in changes(chat, job_id)]
    ended = chat.run(partial(tell, batch), seconds=1)
    assert ended == {"batchItemFailures": [{"itemIdentifier": f"0000{jobs[2]}"}]}
    assert told == jobs[:2]

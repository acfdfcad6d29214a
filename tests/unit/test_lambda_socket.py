"""The functions behind a WebSocket API and behind the stream, on moto."""

from __future__ import annotations

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
from eitherway.engines.aws import tables
from eitherway.engines.aws.codec import to_image
from eitherway.engines.aws.rows import Row, Told
from eitherway.job import JobState
from eitherway.lambdas.environment import Environment, Invocation
from eitherway.lambdas.http import answer
from eitherway.lambdas.socket import serve
from eitherway.lambdas.stream import events_of

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

    def run(self, work: Callable[[Invocation], Any]) -> Any:
        return self._environment.run(Context(10), work)

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
    assert chat.rows("c-1") == {"connection#c-1", "j-1", "j-2"}
    subscribe = json.dumps({"subscribe": ["j-3"], "unsubscribe": ["j-1"]})
    assert chat.socket(socket_event("$default", "c-1", body=subscribe)) == 200
    assert chat.rows("c-1") == {"connection#c-1", "j-2", "j-3"}
    assert chat.socket(socket_event("$default", "c-1", body='{"ping": true}')) == 200
    assert chat.rows("c-1") == {"connection#c-1", "j-2", "j-3"}
    assert chat.socket(socket_event("$disconnect", "c-1")) == 200
    assert chat.rows("c-1") == set()


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
    image = {
        name: {"B": b64encode(value["B"]).decode()} if "B" in value else value
        for name, value in to_image(row).items()
    }
    events = events_of({"eventName": "MODIFY", "dynamodb": {"NewImage": image}})
    assert [(one.sequence, one.state, one.at) for one in events] == [
        (2, JobState.QUEUED, 11.0),
        (3, JobState.RUNNING, 12.0),
    ]
    assert {(one.job_id, one.owner) for one in events} == {("j-1", "ann")}
    assert events_of({"eventName": "REMOVE", "dynamodb": {"Keys": {"id": {"S": "j-1"}}}}) == []
    tombstone = {"id": {"S": "j-1#answer#1"}, "bytes": {"B": "AA=="}}
    assert events_of({"eventName": "INSERT", "dynamodb": {"NewImage": tombstone}}) == []

"""A head that was parsed before is not parsed again, and says what it said; nothing else is one."""

import asyncio

import pytest
from served import served
from test_plain import CLOSE, TWICE, alike, answer_of, asked, post, shop

from eitherway.server.connection import Connection
from eitherway.server.heads import Head, KnownHeads
from eitherway.settings import Settings

ORDER = {"id": "a", "qty": 2}


def noted(monkeypatch, method):
    """The data that connections call this method with."""
    given = []
    original = getattr(Connection, method)

    def noting(self, data):
        given.append(data)
        original(self, data)

    monkeypatch.setattr(Connection, method, noting)
    return given


@pytest.fixture
def parsed(monkeypatch):
    """What came that the parser was given."""
    return noted(monkeypatch, "_parse")


@pytest.fixture
def came(monkeypatch):
    """What came, piece by piece."""
    return noted(monkeypatch, "data_received")


@pytest.fixture
async def app(tmp_path):
    app = shop()
    await app.open(Settings(engine=f"sqlite:///{tmp_path}/heads.db"))
    yield app
    await app.close()


@pytest.mark.parametrize("path", ["/orders", "/noted", "/sums", "/broken", "/full"])
async def test_the_same_head_is_answered_as_it_was(app, parsed, path):
    first, again, other = await asked(
        app,
        post(ORDER, "X-Note: b", path=path),
        post(ORDER, "X-Note: b", path=path),
        post(ORDER, "X-Note: c", path=path),
    )
    if path != "/full":  # whose second call has no place
        assert alike(again)[0] == alike(first)[0] == alike(other)[0]
    assert len(parsed) == 2


async def test_a_body_is_its_requests_own(app, parsed):
    """Of another length it has another head; of the same, it is read each time."""
    answers = await asked(app, *(post({"id": "a", "qty": n}, path="/sums") for n in (1, 2, 10, 3)))
    assert [value for _, value in answers] == [2, 3, 11, 4]
    assert len(parsed) == 2


async def test_another_connection_knows_it(app, parsed):
    async with served(app) as address:
        for _ in range(3):
            reader, writer = await asyncio.open_connection(*address)
            writer.write(post(ORDER, path="/sums"))
            assert (await answer_of(reader))[1] == 3
            writer.close()
    assert len(parsed) == 1


async def test_what_looks_like_a_request_within_a_body_is_body(app, came):
    """A known request that comes alone in a segment, where a body is still to come."""
    inner = post(ORDER, path="/sums")
    outer = post({"id": "b", "qty": 5}, path="/sums", length=len(inner))
    head = outer[: outer.index(b"\r\n\r\n") + 4]
    async with served(app) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(inner)
        assert (await answer_of(reader))[1] == 3
        writer.write(head)
        while head not in came:
            await asyncio.sleep(0)
        writer.write(inner)
        _, problem = await answer_of(reader)
        assert problem["status"] == 400  # a request is no JSON
        writer.close()


async def test_what_looks_like_a_request_is_body_though_its_request_is_answered(app, came):
    inner = post(ORDER, path="/sums")
    outer = post({}, path="/unknown", length=len(inner))
    async with served(app) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(inner)
        assert (await answer_of(reader))[1] == 3
        writer.write(outer[: outer.index(b"\r\n\r\n") + 4])
        assert (await answer_of(reader))[1]["status"] == 404
        came.clear()
        writer.write(inner)
        while inner not in came:
            await asyncio.sleep(0)
        writer.write(CLOSE)
        rest = await reader.read()
        assert rest.count(b"HTTP/1.1 ") == 1
        assert b"content-length: 1\r\n" not in rest
        writer.close()


async def test_requests_behind_a_known_one_are_answered(app):
    async with served(app) as address:
        reader, writer = await asyncio.open_connection(*address)
        for sent in (1, 2, 3):
            writer.write(post(ORDER, path="/sums") * sent)
            assert [(await answer_of(reader))[1] for _ in range(sent)] == [3] * sent
        writer.write(post(ORDER, path="/sums") + CLOSE)
        assert (await answer_of(reader))[1] == 3
        assert b" 200 " in await reader.read()
        writer.close()


async def test_what_is_not_plain_is_parsed_each_time(app, parsed):
    await asked(app, *[post(ORDER, TWICE, path="/sums")] * 2)
    assert len(parsed) == 2


HEAD = Head(b"POST", b"/", [(b"content-length", b"2")], {b"content-length": b"2"})


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n\r\n{}{}",  # more than the body
        b"\n\r\n{}",  # no whole head
        b"{}",
        b"POST / HTTP/1.1\r\n\r\n{",
        b"POST / HTTP/1.1\r\nX: " + b"x" * 1024 + b"\r\n\r\n{}",
    ],
)
def test_only_a_whole_request_is_learnt(data):
    heads = KnownHeads()
    heads.learn(data, HEAD)
    assert heads.find(data) is None


def test_a_body_in_chunks_is_not_learnt():
    heads, data = KnownHeads(), b"POST / HTTP/1.1\r\n\r\n{}"
    heads.learn(data, Head(b"POST", b"/", [], {**HEAD.fields, b"transfer-encoding": b"chunked"}))
    assert heads.find(data) is None


def test_the_last_heads_are_known():
    heads = KnownHeads()
    sent = [b"POST /%d HTTP/1.1\r\n\r\n{}" % number for number in range(257)]
    for data in sent:
        heads.learn(data, HEAD)
    assert [data for data in sent if heads.find(data) is None] == sent[:1]
    assert heads.find(sent[-1]) == (HEAD, b"{}")

"""The server's protocol, in this process: what it serves, refuses and closes."""

import asyncio
from types import SimpleNamespace

import pytest
from served import exchange, served

from eitherway.gateway.whole import Answering, lines_of
from eitherway.server.exchange import Exchange


async def echo(scope, receive, send):
    """The length of the body."""
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    body = b"%d" % size
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


LAST = b"Host: x\r\nConnection: close\r\n"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\n" + LAST + b"\r\n", b"200"),
        (b"POST / HTTP/1.1\r\n" + LAST + b"Content-Length: 3\r\n\r\nabc", b"200"),
        (
            b"POST / HTTP/1.1\r\n"
            + LAST
            + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            b"200",
        ),
        (b"GET / HTTP/1.1\r\n" + LAST + b"Upgrade: h2c\r\n\r\n", b"200"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"no http at all\r\n\r\n", b"400"),
        (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\n" + LAST + b"\r\n", b"414"),
        (b"GET / HTTP/1.1\r\n" + LAST + b"A: b\r\n" * 101 + b"\r\n", b"431"),
        (b"GET / HTTP/1.1\r\n" + LAST + b"A: " + b"b" * 40_000 + b"\r\n\r\n", b"431"),
    ],
)
async def test_each_request_has_its_status(sent, status):
    """What can be served, and what is too long, too many or no HTTP."""
    async with served(echo) as address:
        answer = await exchange(address, sent)
    assert answer.split(b" ", 2)[1] == status


async def test_pipelined_requests_are_answered_in_turn():
    """The second waits for the first, and the last closes."""
    first = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab"
    async with served(echo) as address:
        answer = await exchange(address, first + b"GET / HTTP/1.1\r\n" + LAST + b"\r\n")
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert answer.index(b"\r\n\r\n2") < answer.index(b"\r\n\r\n0")


def at_once(*fields, body=b"whole"):
    """An application that hands its answer over whole, and says whether it was taken."""

    async def app(scope, receive, send):
        length = (b"content-length", b"%d" % len(body))
        taken = Answering(send).whole_of(200, [*fields, length], body)
        app.taken.append(taken)
        if not taken:
            headers = [*fields, length]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    app.taken = []
    return app


ONE = b"GET / HTTP/1.1\r\nHost: x\r\n"


async def test_an_answer_is_given_whole():
    """Alike, to the byte, to one in two messages; the connection serves the next request."""
    fields = [(b"x-first", b"1"), (b"x-second", b"\xe4 b")]
    whole = at_once(*fields)
    async with served(whole) as address:
        given = await exchange(address, ONE + b"\r\n" + ONE + b"Connection: close\r\n\r\n")
    assert whole.taken == [True, True]
    first, last = given.split(b"HTTP/1.1 200 OK\r\n")[1:]
    assert first.endswith(b"x-first: 1\r\nx-second: \xe4 b\r\ncontent-length: 5\r\n\r\nwhole")
    assert b"connection: close\r\n" in last
    assert b"connection: close" not in first


def taking_at_once(bytes_max):
    """An application that answers with what it is given at once, and what it has to wait for."""

    async def app(scope, receive, send):
        given = [receive.__self__.receive_whole(bytes_max) for _ in range(2)]
        app.begun.set()
        if given[0] is None:
            message = await receive()
            given.append(message["body"])
            while message["more_body"]:
                message = await receive()
                given.append(message["body"])
        body = repr(given).encode()
        fields = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        await send({"type": "http.response.body", "body": body})

    app.begun = asyncio.Event()
    return app


@pytest.mark.parametrize(
    ("sent", "given"),
    [
        (b"", b"[b'', None]"),
        (b"Content-Length: 3\r\n\r\nabc", b"[b'abc', None]"),
        (b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n", b"[b'abc', None]"),
        (b"Content-Length: 4\r\n\r\nabcd", b"[None, None, b'abcd']"),
        (b"Content-Length: 3\r\nExpect: 100-continue\r\n\r\nabc", b"[None, None, b'abc']"),
    ],
)
async def test_a_body_is_given_whole(sent, given):
    """Once, where it is all there, not too large, and the client waits for no word."""
    head = b"POST / HTTP/1.1\r\n" + LAST
    async with served(taking_at_once(3)) as address:
        answer = await exchange(address, head + sent + b"\r\n")
    assert answer.endswith(given)


async def test_a_body_that_is_on_its_way_is_waited_for():
    """What has come of it stays for who waits for the rest."""
    taking = taking_at_once(3)
    async with served(taking) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(ONE.replace(b"GET", b"POST") + b"Content-Length: 3\r\n\r\na")
        await taking.begun.wait()
        writer.write(b"bc")
        await reader.readuntil(b"\r\n\r\n")
        assert (await reader.readexactly(13)).startswith(b"[None, None, ")
        writer.close()
        await writer.wait_closed()


async def test_an_answer_that_closes_the_connection_goes_in_two_messages():
    """uvicorn reads what such a field says."""
    closing = at_once((b"connection", b"close"))
    async with served(closing) as address:
        given = await exchange(address, ONE + b"\r\n")
    assert closing.taken == [False]
    assert given.endswith(b"whole")


@pytest.mark.parametrize("value", [b"a\r\nset-cookie: b", b"a\nb", b"a\rb", b"a\0b"])
async def test_a_field_of_several_lines_is_no_field(value):
    """Nothing of it is sent: a value from outside cannot add fields, or an answer."""
    async with served(at_once((b"x-from-outside", value))) as address:
        given = await exchange(address, ONE + b"\r\n")
    assert given.startswith(b"HTTP/1.1 500 ")
    assert b"x-from-outside" not in given


async def test_nothing_is_given_to_who_has_gone_or_does_not_read():
    """A full connection waits in `send`; one that is gone has had its answer."""
    connection = SimpleNamespace(
        outgoing=None,
        flow=SimpleNamespace(write_paused=True),
        server_state=SimpleNamespace(default_headers=[]),
        on_response_complete=None,
    )
    one = Exchange(connection, {}, keep_alive=True, continues=False)
    assert one.respond_whole(200, lines_of([]), b"") is False
    connection.flow.write_paused = False
    one.disconnected = True
    assert one.respond_whole(200, lines_of([]), b"") is True


async def test_who_is_behind_a_proxy_is_told_apart():
    """The scheme that a trusted proxy names is the request's own, and no other request's."""
    schemes = []

    async def app(scope, receive, send):
        schemes.append(scope["scheme"])
        await echo(scope, receive, send)

    async with served(app) as address:
        forwarded = ONE + b"X-Forwarded-Proto: https\r\n\r\n"
        await exchange(address, forwarded + b"GET / HTTP/1.1\r\n" + LAST + b"\r\n")
    assert schemes == ["https", "http"]


async def test_many_pipelined_requests_are_read_on_after_each_other():
    """Reading pauses while some wait, and goes on once none does."""
    async with served(echo) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write((ONE + b"\r\n") * 5)
        for _ in range(5):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            assert await reader.readexactly(1) == b"0"
        writer.write(b"GET / HTTP/1.1\r\n" + LAST + b"\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 200")
        writer.close()

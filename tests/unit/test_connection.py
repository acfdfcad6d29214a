"""The server's protocol, in this process: what it serves, refuses and closes."""

import asyncio
import socket
from contextlib import asynccontextmanager
from functools import partial

import pytest
import uvicorn

from eitherway.server.bounds import Bounds
from eitherway.server.connection import Connection
from eitherway.server.crowd import Crowd
from eitherway.settings import Settings


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


@asynccontextmanager
async def served():
    """Where it listens."""
    crowd = Crowd(Bounds.of(Settings()), lambda _: None)
    http = partial(Connection, crowd=crowd)
    config = uvicorn.Config(echo, http=http, lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        crowd.start()
        task = asyncio.create_task(server.serve(sockets=[listener]))
        yield address
        server.should_exit = True
        await task
        crowd.stop()


async def exchange(address, sent):
    reader, writer = await asyncio.open_connection(*address)
    writer.write(sent)
    answer = await reader.read()  # up to the end: each of these closes
    writer.close()
    return answer


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
    async with served() as address:
        answer = await exchange(address, sent)
    assert answer.split(b" ", 2)[1] == status


async def test_pipelined_requests_are_answered_in_turn():
    """The second waits for the first, and the last closes."""
    first = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab"
    async with served() as address:
        answer = await exchange(address, first + b"GET / HTTP/1.1\r\n" + LAST + b"\r\n")
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert answer.index(b"\r\n\r\n2") < answer.index(b"\r\n\r\n0")

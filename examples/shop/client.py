"""A small HTTP/1.1 client over kept-alive connections: quick enough to be a load generator."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

import httptools

_IDLE_SECONDS_MAX = 3.0  # uvicorn hangs up after 5: never send on a connection that is about to go


@dataclass(slots=True)
class Response:
    """An answer, and when it was asked for and had.

    Times are of `time.monotonic`: the event loop's own clock may go in steps of 1 ms.
    """

    status: int = 0
    reason: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    sent: float = 0.0
    received: float = 0.0


class Client:
    """Sends requests to one server over at most `connections_max` connections."""

    def __init__(self, url: str, *, connections_max: int) -> None:
        address = urlsplit(url)
        self._host, self._port = address.hostname or "127.0.0.1", address.port or 80
        self._authority = address.netloc
        self._room = asyncio.Semaphore(connections_max)
        self._idle: list[_Connection] = []

    async def request(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Response:
        """Send one request and have the whole answer. `OSError` when the server hangs up."""
        fields = {"host": self._authority, **(headers or {})}
        if body:
            fields["content-length"] = str(len(body))
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        head = f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")
        async with self._room:
            connection = await self._connection()
            response = await connection.send(head + body)
            if connection.usable:
                self._idle.append(connection)
            return response

    def close(self) -> None:
        """Hang up."""
        while self._idle:
            self._idle.pop().close()

    async def _connection(self) -> _Connection:
        oldest = time.monotonic() - _IDLE_SECONDS_MAX
        while self._idle:
            connection = self._idle.pop()  # the last one used: the others may go stale
            if connection.usable and connection.used > oldest:
                return connection
            connection.close()
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(_Connection, self._host, self._port)
        return connection


class _Connection(asyncio.Protocol):
    """One connection, one request at a time; `on_*` are httptools' callbacks."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._parser: httptools.HttpResponseParser
        self._answer: asyncio.Future[Response] | None = None
        self._response = Response()
        self.usable = True
        self.used = time.monotonic()

    async def send(self, request: bytes) -> Response:
        self._parser = httptools.HttpResponseParser(self)
        self._answer = asyncio.get_running_loop().create_future()
        self._response = Response(sent=time.monotonic())
        self._transport.write(request)
        try:
            return await self._answer
        except asyncio.CancelledError:
            self.close()  # its answer would be taken for the next one's
            raise

    def close(self) -> None:
        self.usable = False
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own, not a subclass

    def connection_lost(self, exc: Exception | None) -> None:
        self.usable = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("the server hung up"))

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_status(self, status: bytes) -> None:
        self._response.reason = status.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._response.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._response.body += body

    def on_message_complete(self) -> None:
        self._response.status = self._parser.get_status_code()
        self._response.received = self.used = time.monotonic()
        self.usable = self.usable and self._parser.should_keep_alive()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(self._response)

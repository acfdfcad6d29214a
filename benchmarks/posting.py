"""Posts over kept connections, with next to nothing between a benchmark and its socket.

A client library may take longer than what is measured: httpx takes 3 to 4 ms here to be answered
by an application that does nothing.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

import httptools


class _Line(asyncio.Protocol):
    """One connection, with at most one request under way."""

    _answer: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._parser: Any = httptools.HttpResponseParser(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None:
            self._answer.set_exception(exc or ConnectionResetError("no answer"))

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def send(self, request: bytes) -> asyncio.Future[bytes]:
        """Gives the body of the answer; `OSError` where it is none that accepts."""
        self._body = b""
        answer = self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return answer

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        answer, self._answer = self._answer, None
        if answer is None:
            raise OSError("an answer that nobody asked for")
        if (status := self._parser.get_status_code()) == 202:
            answer.set_result(self._body)
        else:
            answer.set_exception(OSError(f"answered with {status}"))

    def close(self) -> None:
        self._transport.abort()


class Posting:
    """Posts one body to one URL, over as many connections as are needed at once."""

    def __init__(self, host: str, port: int, path: str, body: bytes) -> None:
        self._address = host, port
        self._lines: list[_Line] = []
        self._request = (
            f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode() + body

    async def open(self, connections: int) -> None:
        """Connect, so that the first posts need not."""
        self._lines = [await self._connect() for _ in range(connections)]

    async def post(self) -> bytes:
        """The document that a 202 has; `OSError` of another answer, or none."""
        line = self._lines.pop() if self._lines else await self._connect()
        document = await line.send(self._request)
        self._lines.append(line)
        return document

    def close(self) -> None:
        """Hang up."""
        while self._lines:
            self._lines.pop().close()

    async def _connect(self) -> _Line:
        loop = asyncio.get_running_loop()
        _, line = await loop.create_connection(_Line, *self._address)
        return line

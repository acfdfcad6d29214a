"""HTTP by hand: bytes on a socket, for what no client library would send."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

SECONDS = 20


@dataclass(frozen=True)
class Reply:
    """One response."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def problem(self) -> str:
        """The name of the problem that it is."""
        assert self.headers["content-type"] == "application/problem+json"
        document = self.json()
        assert document["status"] == self.status
        return document["type"].removeprefix("/problems/")


class Raw:
    """A connection to the gateway at `url`."""

    def __init__(self, url: str) -> None:
        self._host, self._port = urlsplit(url).hostname, urlsplit(url).port

    async def __aenter__(self) -> Self:
        self._reader, self.writer = await asyncio.open_connection(self._host, self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()

    async def send(self, data: bytes) -> None:
        """Send, as far as the other side takes it."""
        with suppress(OSError):
            self.writer.write(data)
            await asyncio.wait_for(self.writer.drain(), SECONDS)

    async def reply(self) -> Reply:
        """The next response."""
        head = await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), SECONDS)
        lines = head.decode("latin-1").split("\r\n")[:-2]
        fields = [line.partition(": ") for line in lines[1:]]
        headers = {name.lower(): value for name, _, value in fields}
        length = int(headers.get("content-length", 0))
        body = await asyncio.wait_for(self._reader.readexactly(length), SECONDS)
        return Reply(int(lines[0].split()[1]), headers, body)

    async def rest(self) -> bytes:
        """All that still comes until the connection is closed; a reset ends it, too."""
        received = b""
        with suppress(ConnectionError):
            while data := await asyncio.wait_for(self._reader.read(65_536), SECONDS):
                received += data
        return received


async def exchange(url: str, data: bytes) -> Reply:
    """Send and read one response, on a connection of its own."""
    async with Raw(url) as raw:
        await raw.send(data)
        return await raw.reply()


def post(path: str, body: bytes, *headers: str, length: int | None = None) -> bytes:
    """A plain JSON POST."""
    fields = ["host: x", "content-type: application/json", *headers]
    if not any(field.lower().startswith("transfer-encoding") for field in headers):
        fields.append(f"content-length: {len(body) if length is None else length}")
    return f"POST {path} HTTP/1.1\r\n".encode() + "\r\n".join([*fields, "", ""]).encode() + body

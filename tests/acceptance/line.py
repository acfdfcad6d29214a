"""One HTTP connection that is kept, for tests of thousands: httpx takes milliseconds for each."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

LINES = 16


class Answer(NamedTuple):
    """A response."""

    status: int
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Line:
    """Requests one after the other; after `OSError` or `EOFError` over a new connection."""

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, body: Any = None) -> Answer:
        """Post JSON."""
        return await self._ask("POST", path, b"" if body is None else json.dumps(body).encode())

    async def get(self, path: str) -> Answer:
        return await self._ask("GET", path, b"")

    def close(self) -> None:
        """Hang up."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _ask(self, method: str, path: str, body: bytes) -> Answer:
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection(
                    self._address.hostname, self._address.port
                )
            reader, writer = self._streams
            head = f"{method} {path} HTTP/1.1\r\nhost: {self._address.netloc}\r\n"
            if body:
                head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
            writer.write(f"{head}\r\n".encode() + body)
            lines = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
            fields = dict(line.split(": ", 1) for line in lines[1:] if line)
            length = int(fields.get("content-length", "0"))
            return Answer(int(lines[0].split()[1]), await reader.readexactly(length))
        except (OSError, EOFError):
            self.close()
            raise


@asynccontextmanager
async def lines(url: str, count: int = LINES):
    """So many of them."""
    made = [Line(url) for _ in range(count)]
    try:
        yield made
    finally:
        for line in made:
            line.close()


async def posted(url: str, path: str, bodies: Iterable[Any]) -> list[str]:
    """The ids of jobs, one of each body, all of which are stored; in the order of the bodies."""
    waiting = enumerate(bodies)
    ids = {}

    async def post(line: Line) -> None:
        for number, body in waiting:
            answer = await line.post(path, body)
            assert answer.status == 202, answer.body
            ids[number] = answer.json()["id"]

    async with lines(url) as made:
        await asyncio.gather(*(post(line) for line in made))
    return [ids[number] for number in sorted(ids)]


async def documents(url: str, ids: Iterable[str]) -> list[dict[str, Any]]:
    """The documents of jobs, as they are now."""
    async with lines(url, 1) as (line,):
        answers = [await line.get(f"/jobs/{job_id}") for job_id in ids]
    assert {answer.status for answer in answers} <= {200}
    return [answer.json() for answer in answers]

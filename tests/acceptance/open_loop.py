"""Sends requests at set times, whether or not the ones before were answered."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from urllib.parse import urlsplit

CONNECTIONS = 48


@dataclass(frozen=True)
class Answer:
    """What came back, and when, in seconds since the first request was to be sent."""

    status: int
    body: bytes
    after_seconds: float


class OpenLoop:
    """Posts bodies to a path of several servers in turn, over connections that are used in turn."""

    def __init__(self, urls: list[str], path: str, per_second: float) -> None:
        self._addresses = [urlsplit(url) for url in urls]
        self._path = path
        self._per_second = per_second
        self._idle: list[asyncio.Queue] = []

    async def send(self, bodies: list[bytes]) -> list[Answer]:
        """All of them, each at its time; their answers, in the same order."""
        self._idle = [await self._connect(address) for address in self._addresses]
        loop = asyncio.get_running_loop()
        self._start = loop.time()
        answers: list[asyncio.Task[Answer]] = []
        for number, body in enumerate(bodies):
            await _until(self._start + number / self._per_second)
            answers.append(loop.create_task(self._post(number % len(self._idle), body)))
        return list(await asyncio.gather(*answers))

    async def _connect(self, address) -> asyncio.Queue:
        idle: asyncio.Queue = asyncio.Queue()
        for _ in range(CONNECTIONS):
            idle.put_nowait(await asyncio.open_connection(address.hostname, address.port))
        return idle

    async def _post(self, server: int, body: bytes) -> Answer:
        reader, writer = connection = await self._idle[server].get()
        writer.write(
            f"POST {self._path} HTTP/1.1\r\nhost: {self._addresses[server].netloc}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode()
            + body
        )
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        content = await reader.readexactly(int(fields["content-length"]))
        self._idle[server].put_nowait(connection)
        after_seconds = asyncio.get_running_loop().time() - self._start
        return Answer(int(head.split()[1]), content, after_seconds)

    def close(self) -> None:
        """Hang up."""
        for idle in self._idle:
            while not idle.empty():
                _, writer = idle.get_nowait()
                writer.close()


async def _until(time: float) -> None:
    loop = asyncio.get_running_loop()
    if time > loop.time():
        waiter = loop.create_future()
        loop.call_at(time, waiter.set_result, None)
        await waiter

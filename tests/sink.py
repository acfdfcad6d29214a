"""A receiver of callbacks: keeps what came, and answers as it is told."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Iterable
from typing import Any, Self

HANG = "hang"  # in place of an answer: say nothing until the client has gone


class Received:
    """One request, as it was on the wire."""

    def __init__(self, line: str, fields: list[tuple[str, str]], body: bytes) -> None:
        self.line = line
        self.fields = fields
        self.headers = dict(fields)
        self.body = body

    @property
    def event(self) -> Any:
        return json.loads(self.body)


class Sink:
    """An HTTP/1.1 server; `answers` are statuses, or (status, headers), the last one repeated."""

    def __init__(
        self, *answers: Any, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
    ) -> None:
        self.answers = list(answers) or [204]
        self.received: list[Received] = []
        self.connections = 0
        self.names: list[str | None] = []  # that clients asked for (SNI)
        self._host = host
        self._tls = tls
        self._came = asyncio.Condition()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        if self._tls is not None:
            self._tls.sni_callback = lambda _, name, __: self.names.append(name)
        self._server = await asyncio.start_server(
            self._serve, self._host, 0, ssl=self._tls, family=0
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}/hook"

    @property
    def ids(self) -> list[str]:
        return [each.headers["webhook-id"] for each in self.received]

    async def got(self, count: int, within_seconds: float = 30) -> list[Received]:
        """What came, once there are so many."""
        async with asyncio.timeout(within_seconds), self._came:
            await self._came.wait_for(lambda: len(self.received) >= count)
        return self.received

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            await self._answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = [(n.lower(), v.strip()) for n, _, v in (h.partition(":") for h in head[1:] if h)]
        body = await reader.readexactly(int(dict(fields)["content-length"]))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        async with self._came:
            self.received.append(Received(head[0], fields, body))
            self._came.notify_all()
        if answer == HANG:
            await reader.read()  # until the client has gone
            return
        status, headers = answer if isinstance(answer, tuple) else (answer, {})
        writer.write(_head(status, {"content-length": "2", **headers}.items()) + b"ok")
        await writer.drain()


def _head(status: int, fields: Iterable[tuple[str, str]]) -> bytes:
    lines = [f"HTTP/1.1 {status} -", *(f"{name}: {value}" for name, value in fields), "", ""]
    return "\r\n".join(lines).encode()

"""A TCP proxy that cuts connections off: when told to, or after so many events of a stream."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

_ID = re.compile(rb"\nid: (\S+)\n")


class Proxy:
    """Passes everything on. `heads` are those of the first request of each connection."""

    def __init__(self, target: str, cut_at: Iterable[int]) -> None:
        self._target = urlsplit(target)
        self._cut_at = sorted(cut_at, reverse=True)
        self._open: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self.url = ""
        self.cuts = 0
        self.heads: list[str] = []
        self.last_id: str | None = None  # of the last event that was passed on whole
        self.expected: list[str | None] = []  # what that was when each connection came
        self._passed = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        host, port = self._target.hostname, self._target.port
        from_server, to_server = await asyncio.open_connection(host, port)
        self._open |= {writer, to_server}
        self.expected.append(self.last_id)
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head.decode().lower())
            to_server.write(head)
            await asyncio.gather(self._pass(reader, to_server), self._back(from_server, writer))
        for end in (writer, to_server):
            end.transport.abort()
            self._open.discard(end)

    def cut(self) -> None:
        """Cut off all that is open."""
        self.cuts += 1
        self._abort()

    async def end(self) -> None:
        """Cut off what is left, and return when nothing is."""
        self._abort()
        await asyncio.gather(*self._serving)

    def _abort(self) -> None:
        for end in self._open:
            end.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65536):
            writer.write(chunk)

    async def _back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        kept, to_be_cut = b"", bool(self._cut_at)
        while chunk := await reader.read(65536):
            *parts, kept = re.split(rb"(?<=\n\n)", kept + chunk)
            for part in parts:
                if self._cut_at and self._passed == self._cut_at[-1] and b"\ndata: " in part:
                    self._cut_at.pop()
                    writer.write(part[: len(part) // 2])
                    await writer.drain()
                    self.cut()
                    return
                if to_be_cut:
                    writer.write(part)
                self._note(part)
            if not to_be_cut:
                writer.write(chunk)
            await writer.drain()

    def _note(self, part: bytes) -> None:
        """Count what is an event of a stream, and keep its id."""
        if b"\ndata: " in part:
            self._passed += 1
            found = _ID.search(part)
            self.last_id = found[1].decode() if found else self.last_id


@asynccontextmanager
async def cutting(target: str, cut_at: Iterable[int] = ()) -> AsyncIterator[Proxy]:
    """A proxy before the target; cut in the middle of the event after so many, each once."""
    proxy = Proxy(target, cut_at)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        await proxy.end()

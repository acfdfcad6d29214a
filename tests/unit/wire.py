"""Streams and sockets without a server: an ASGI application driven from a test."""

import asyncio
import json

from eitherway.testing import TestApp


class Stream:
    """One open connection to an app: what it sent, and what it hears."""

    def __init__(self, shop: TestApp, scope: dict) -> None:
        self._heard: asyncio.Queue = asyncio.Queue()
        self._sent: asyncio.Queue = asyncio.Queue()
        self.free = asyncio.Event()  # cleared: whoever sends waits, as before a full socket
        self.free.set()
        self._task = asyncio.ensure_future(shop.app(scope, self._heard.get, self._send))

    async def _send(self, message) -> None:
        await self.free.wait()
        self._sent.put_nowait(message)

    def hear(self, kind: str, **more) -> None:
        self._heard.put_nowait({"type": kind, **more})

    async def sent(self) -> dict:
        return await asyncio.wait_for(self._sent.get(), 5)

    @property
    def quiet(self) -> bool:
        return self._sent.empty()

    async def over(self) -> None:
        await asyncio.wait_for(self._task, 5)


def scope(kind: str, url: str, headers: dict, **more) -> dict:
    path, _, query = url.partition("?")
    fields = {"host": "testserver", **headers}
    return {
        "type": kind,
        "path": path,
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(k.encode(), v.encode()) for k, v in fields.items()],
        **more,
    }


class Sse(Stream):
    """`GET url`, read event by event."""

    def __init__(self, shop: TestApp, url: str, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        super().__init__(shop, scope("http", url, named, method="GET", scheme="http"))

    async def start(self) -> dict:
        started = await self.sent()
        return {
            "status": started["status"],
            **{k.decode(): v.decode() for k, v in started["headers"]},
        }

    async def chunk(self) -> bytes:
        """The next piece of the body; empty at the end."""
        return (await self.sent())["body"]

    async def event(self) -> dict:
        """The next event's fields, its data decoded."""
        lines = (await self.chunk()).decode().split("\n")  # not `splitlines`: U+2028 ends no line
        fields = dict(line.split(": ", 1) for line in lines if line)
        return {**fields, "data": json.loads(fields["data"])}


class Socket(Stream):
    """A WebSocket at `url`."""

    def __init__(
        self, shop: TestApp, url: str = "/events", *, offers=("cloudevents.json",), **headers
    ):
        extensions = {"websocket.http.response": {}}
        more = {"scheme": "ws", "subprotocols": list(offers), "extensions": extensions}
        super().__init__(shop, scope("websocket", url, headers, **more))
        self.hear("websocket.connect")

    async def event(self) -> dict:
        message = await self.sent()
        assert message["type"] == "websocket.send", message
        return json.loads(message["text"])

    def say(self, frame) -> None:
        text = frame if isinstance(frame, str) else json.dumps(frame)
        self.hear("websocket.receive", text=text)


async def connected(shop: TestApp, url: str = "/events", **more) -> Socket:
    """A socket past its handshake."""
    socket = Socket(shop, url, **more)
    assert await socket.sent() == {"type": "websocket.accept", "subprotocol": "cloudevents.json"}
    return socket

"""The WebSocket at `/events`: CloudEvents out, subscriptions in."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping, Sequence
from typing import Any

from ...attempt.hub import News
from ...attempt.runtime import Runtime
from ...auth import Principal
from ...job import JobRecord
from ..wire import Receive, RefusedError, Scope, Send, base_url, deny_websocket
from .admission import Admission
from .cloudevents import Envelopes
from .entrance import Entrance
from .feed import Feed
from .frame import EXPECTED, frame_of
from .handshake import SUBPROTOCOL, Handshake
from .lifetime import Holds

NOT_TEXT, NOT_ALLOWED = 1003, 1008

_REASON_BYTES_MAX = 123  # RFC 6455, section 5.5


class EventSocket:
    """Serves the handshake; each connection is a `_Socket`."""

    def __init__(
        self,
        runtime: Runtime,
        admission: Admission,
        path: str,
        jobs_path: str,
        entrance: Entrance | None = None,
    ) -> None:
        self._entrance = entrance
        self._runtime = runtime
        self._admission = admission
        self.handshake = Handshake(admission, path, entrance)
        self._jobs_path = jobs_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, from handshake to end."""
        await receive()  # websocket.connect
        scope = {**scope, "scheme": "https" if scope.get("scheme") == "wss" else "http"}
        try:
            asked = await self.handshake.read(scope)
            with self._admission.connection():
                await asked.entry.use()
                await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL})
                url = base_url(scope, self._runtime.settings.public_url) + self._jobs_path
                envelopes = Envelopes(url, self._runtime.engine.capabilities.durability)
                holds = None if self._entrance is None else self._entrance.holds
                socket = _Socket(self._runtime, send, envelopes, asked.entry.principal, holds)
                await socket.run(receive, asked.jobs, asked.after)
        except RefusedError as refusal:
            await deny_websocket(scope, send, refusal.problem, refusal.headers)


class _Socket:
    """One open connection: the `Channel` of a `Feed`."""

    name = "websocket"

    def __init__(
        self,
        runtime: Runtime,
        send: Send,
        envelopes: Envelopes,
        principal: Principal | None,
        holds: Holds | None,
    ) -> None:
        self._send = send
        self._envelopes = envelopes
        self._jobs_max = runtime.settings.subscriptions_max
        self._owns = principal is not None and runtime.engine.capabilities.events_by_owner
        self._feed = Feed(runtime, self, principal, holds)

    async def run(self, receive: Receive, jobs: Sequence[str], after: str | None) -> None:
        """Serve until the client or the gateway goes; without jobs, all of the client's."""
        if self._owns and not jobs:
            self._feed.subscribe_owned(after)
        self._feed.subscribe(jobs, after)
        reader = asyncio.create_task(self._read(receive))
        try:
            await self._feed.finished
        finally:
            reader.cancel()
            self._feed.stop()

    async def tell(self, news: News) -> None:
        """Write an event: one Text message."""
        await self._send({"type": "websocket.send", "text": self._envelopes.write(news).decode()})

    async def caught_up(self, records: Sequence[JobRecord]) -> None:
        """Nothing to say: a connection stays open, whatever its jobs do."""

    async def lost(self, jobs: Sequence[str] | None) -> bool:  # noqa: ARG002 - all of it ends
        """A cursor that is none ends the connection."""
        return False

    async def begins(self, cursor: str) -> None:
        """Nothing to say: each event has its cursor."""

    async def close(self, code: int, reason: str) -> None:
        """Send Close."""
        short = reason.encode()[:_REASON_BYTES_MAX].decode(errors="ignore")
        await self._send({"type": "websocket.close", "code": code, "reason": short})

    async def _read(self, receive: Receive) -> None:
        while (message := await receive())["type"] == "websocket.receive":
            self._heard(message)
        self._feed.stop()

    def _heard(self, message: MutableMapping[str, Any]) -> None:
        text = message.get("text")
        if text is None:
            self._feed.end(NOT_TEXT, "send text")
            return
        frame = frame_of(text)
        if frame is None:
            self._feed.end(NOT_ALLOWED, EXPECTED)
            return
        self._feed.unsubscribe(frame.unsubscribe)
        if self._feed.jobs + len(frame.subscribe) > self._jobs_max:
            self._feed.end(NOT_ALLOWED, f"a connection follows at most {self._jobs_max} jobs")
            return
        self._feed.subscribe(frame.subscribe, frame.after)

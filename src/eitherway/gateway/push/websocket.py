"""The WebSocket at `/events`: CloudEvents out, subscriptions in."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import MutableMapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...attempt.hub import News
from ...attempt.runtime import Runtime
from ...auth import Principal
from ...job import JobRecord
from ...problem import Problem
from ..wire import (
    Receive,
    RefusedError,
    Scope,
    Send,
    base_url,
    deny_websocket,
    header,
    path_within,
    query,
)
from .admission import Admission, jobs_of
from .cloudevents import Envelopes
from .entrance import Entrance, Entry
from .feed import Feed
from .lifetime import Holds

SUBPROTOCOL = "cloudevents.json"
NOT_TEXT, NOT_ALLOWED = 1003, 1008

_KEY_BYTES = 16
_ID_LENGTH_MAX = 200
_REASON_BYTES_MAX = 123  # RFC 6455, section 5.5

_JobIds = list[Annotated[str, Field(min_length=1, max_length=_ID_LENGTH_MAX)]]


class _Frame(BaseModel):
    """What a client may say."""

    model_config = ConfigDict(extra="forbid", strict=True)

    subscribe: _JobIds = []
    unsubscribe: _JobIds = []
    after: str | None = None


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
        self._path = path
        self._jobs_path = jobs_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, from handshake to end."""
        await receive()  # websocket.connect
        parameters = query(scope)
        jobs = jobs_of(parameters)
        scope = {**scope, "scheme": "https" if scope.get("scheme") == "wss" else "http"}
        try:
            self._check(scope, len(jobs))
            entry = Entry() if self._entrance is None else await self._entrance.of_socket(scope)
            with self._admission.connection():
                await entry.use()
                await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL})
                url = base_url(scope, self._runtime.settings.public_url) + self._jobs_path
                envelopes = Envelopes(url, self._runtime.engine.capabilities.durability)
                holds = None if self._entrance is None else self._entrance.holds
                socket = _Socket(self._runtime, send, envelopes, entry.principal, holds)
                await socket.run(receive, jobs, parameters.get("after"))
        except RefusedError as refusal:
            await deny_websocket(scope, send, refusal.problem, refusal.headers)

    def _check(self, scope: Scope, jobs: int) -> None:
        if path_within(scope) != self._path:
            raise RefusedError(Problem.of("not-found", f"no WebSocket is at {scope['path']}"))
        key = header(scope, b"sec-websocket-key")
        if key is not None and not _is_key(key):
            detail = "Sec-WebSocket-Key is 16 bytes in base64"
            raise RefusedError(Problem.of("invalid-subscription", detail))
        self._admission.check_origin(scope, header(scope, b"origin"))
        if SUBPROTOCOL not in scope.get("subprotocols", ()):
            detail = f"offer the subprotocol {SUBPROTOCOL}"
            raise RefusedError(Problem.of("invalid-subscription", detail))
        self._admission.check_jobs(jobs)


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
        try:
            frame = _Frame.model_validate_json(text)
        except ValidationError:
            frame = _Frame()
        if not (frame.subscribe or frame.unsubscribe):
            self._feed.end(NOT_ALLOWED, 'send {"subscribe": [...], "after": ...} or "unsubscribe"')
            return
        self._feed.unsubscribe(frame.unsubscribe)
        if self._feed.jobs + len(frame.subscribe) > self._jobs_max:
            self._feed.end(NOT_ALLOWED, f"a connection follows at most {self._jobs_max} jobs")
            return
        self._feed.subscribe(frame.subscribe, frame.after)


def _is_key(key: bytes) -> bool:
    """RFC 6455, section 4.1; not every server looks."""
    try:
        return len(b64decode(key, validate=True)) == _KEY_BYTES
    except ValueError:
        return False

"""A WebSocket client that waits for the end of a job: as much as `aws smoke` needs."""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.utilities import ProtocolError

from ..errors import EitherwayError

_SUBPROTOCOL = "cloudevents.json"
_FINAL = {f"eitherway.job.{state}": state for state in ("succeeded", "failed", "canceled")}
_CHUNK = 65_536


class ListeningError(EitherwayError):
    """The WebSocket could not be opened, or ended before it told."""


class Listening:
    """A connection that tells of jobs. `ListeningError` for whatever comes between."""

    def __init__(self, url: str, headers: Mapping[str, str], within_seconds: float) -> None:
        self._url = url
        self._headers = headers
        self._end = time.monotonic() + within_seconds
        self._protocol = WSConnection(ConnectionType.CLIENT)
        self._text = ""

    def __enter__(self) -> Self:
        address = urlsplit(self._url)
        port = address.port or (443 if address.scheme == "wss" else 80)
        host = address.hostname or ""
        try:
            self._socket: socket.socket = socket.create_connection((host, port), self._left())
            if address.scheme == "wss":
                context = ssl.create_default_context()
                self._socket = context.wrap_socket(self._socket, server_hostname=host)
        except OSError as error:
            raise ListeningError(f"{self._url}: {error.strerror or error}") from None
        target = (address.path or "/") + (f"?{address.query}" if address.query else "")
        extra = [(name.encode(), value.encode()) for name, value in self._headers.items()]
        self._say(
            Request(
                host=address.netloc, target=target, subprotocols=[_SUBPROTOCOL], extra_headers=extra
            )
        )
        try:
            self._await_acceptance()
        except BaseException:
            self._socket.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._socket.close()

    def subscribe(self, job: str) -> None:
        """Follow a job, from its beginning."""
        self._say(TextMessage(data=json.dumps({"subscribe": [job]})))

    def end_of(self, job: str) -> str:
        """Wait for a job's last event; the state that it tells."""
        for event in self._events():
            if isinstance(event, TextMessage):
                self._text += event.data
                if event.message_finished:
                    told, self._text = _read(self._text), ""
                    if told.get("subject") == job and told.get("type") in _FINAL:
                        return _FINAL[str(told["type"])]
        raise ListeningError(f"{self._url}: closed before it told of job {job}")

    def _await_acceptance(self) -> None:
        for event in self._events():
            if isinstance(event, AcceptConnection):
                return
            if isinstance(event, RejectConnection):
                raise ListeningError(f"{self._url}: refused with {event.status_code}")
        raise ListeningError(f"{self._url}: closed before it was open")

    def _events(self) -> Iterator[Event]:
        while True:
            for event in self._protocol.events():
                if isinstance(event, Ping):
                    self._say(event.response())
                elif isinstance(event, CloseConnection):
                    return
                else:
                    yield event
            try:
                self._socket.settimeout(self._left())
                data = self._socket.recv(_CHUNK)
                self._protocol.receive_data(data or None)
            except TimeoutError:
                raise ListeningError(f"{self._url}: nothing was told in time") from None
            except (OSError, ProtocolError) as error:
                raise ListeningError(f"{self._url}: {error}") from None
            if not data:
                return

    def _say(self, event: Any) -> None:
        try:
            self._socket.sendall(self._protocol.send(event))
        except OSError as error:
            raise ListeningError(f"{self._url}: {error}") from None

    def _left(self) -> float:
        return max(0.001, self._end - time.monotonic())


def _read(text: str) -> dict[str, Any]:
    try:
        told = json.loads(text)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}

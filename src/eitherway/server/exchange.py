"""One request and its answer: uvicorn's, which is also given a whole answer, in one piece.

ASGI passes an answer in two messages, which most applications have at once: for each, uvicorn makes
a coroutine, and looks at its state. What is handed over whole is written whole: `respond_whole` of
the object whose `send` an application is called with.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from ..gateway.wire import Header, Scope, respond_problem
from ..lifespan import AsgiApp
from ..problem import Problem

if TYPE_CHECKING:
    from .connection import Connection

_logger = logging.getLogger("uvicorn.error")


_CLOSE: Header = (b"connection", b"close")


class Signal:
    """Set once something has come. What waits for it is made only where it has not."""

    __slots__ = ("_event", "is_set")

    def __init__(self) -> None:
        self.is_set = False
        self._event: asyncio.Event | None = None

    def set(self) -> None:
        """It has come."""
        self.is_set = True
        if self._event is not None:
            self._event.set()

    async def wait(self) -> None:
        """Return once something comes."""
        self._event = self._event or asyncio.Event()
        self._event.clear()
        await self._event.wait()


class Exchange(RequestResponseCycle):
    """uvicorn's, of which only what differs between requests is made for each."""

    logger = _logger
    access_logger = _logger
    access_log = False
    disconnected = False
    more_body = True
    response_started = False
    response_complete = False
    chunked_encoding: bool | None = None
    expected_content_length = 0
    scope: Any  # the same as uvicorn's, under names of our own
    transport: Any
    message_event: Any
    body: Any  # bytes, as long as they came in one piece

    def __init__(  # nothing of uvicorn's: it sets all of that
        self, connection: Connection, scope: Scope, *, keep_alive: bool, continues: bool
    ) -> None:
        self.scope = scope
        self.transport = connection.outgoing
        self.flow = connection.flow
        self.default_headers = connection.server_state.default_headers
        self.message_event = Signal()
        self.on_response: Callable[[], None] = connection.on_response_complete
        self.keep_alive = keep_alive
        self.waiting_for_100_continue = continues
        self.body = b""

    def feed(self, data: bytes) -> int:
        """Some of the body has come. How much of it waits to be received."""
        if not self.body:
            self.body = data
        elif isinstance(self.body, bytearray):
            self.body += data
        else:
            self.body = bytearray(self.body) + data
        self.message_event.set()
        return len(self.body)

    async def receive(self) -> Any:
        """ASGI: some of the body, or that there is nobody any more."""
        if self.waiting_for_100_continue and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.waiting_for_100_continue = False
        if not self.disconnected and not self.response_complete:
            if self.flow.read_paused:
                self.flow.resume_reading()
            if not self.message_event.is_set:
                await self.message_event.wait()
            self.message_event.is_set = False
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        body, self.body = bytes(self.body), b""
        return {"type": "http.request", "body": body, "more_body": self.more_body}

    def respond_whole(self, status: int, fields: Sequence[Header], body: bytes) -> bool:
        """Send a whole answer, with its length among the fields; False where `send` has to.

        That is: where the client does not read, or the answer says what becomes of the connection.
        `RuntimeError` where a field cannot stand on a line.
        """
        if self.flow.write_paused or self.response_started or _CLOSE in fields:
            return False
        if self.disconnected:
            return True
        lines = [b"%b: %b\r\n" % field for field in (*self.default_headers, *fields)]
        if not self.keep_alive:
            lines.append(b"connection: close\r\n")
        lines.append(b"\r\n")
        head = b"".join(lines)
        if not head.count(b"\r") == head.count(b"\n") == len(lines) or b"\0" in head:
            raise RuntimeError("Invalid HTTP header value.")
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        self.transport.send(STATUS_LINE[status] + head + body)
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()
        return True


def answering(problem: Problem) -> AsgiApp:
    """An application that answers with a problem, whatever it is asked."""
    return lambda _scope, _receive, send: respond_problem(send, problem)

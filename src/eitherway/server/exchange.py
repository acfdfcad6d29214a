"""One request and its answer: uvicorn's, which is also given a whole answer, in one piece.

ASGI passes a body and an answer in messages, and most are whole before the first: for each, a
server makes a coroutine and looks at its state. What has come whole is handed over whole, and what
is handed over whole is written whole: `receive_whole` and `respond_whole` of the object whose
`receive` and `send` an application is called with.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from ..gateway.whole import Lines, lines_of
from ..gateway.wire import Scope, respond_problem
from ..lifespan import AsgiApp
from ..problem import Problem

if TYPE_CHECKING:
    from .connection import Connection

_logger = logging.getLogger("uvicorn.error")


class Exchange(RequestResponseCycle):
    """uvicorn's, of which only what differs between requests is made for each."""

    _news: asyncio.Event | None = None  # made where somebody waits for some
    _has_news = False  # of the body, or that there is nobody any more

    logger = _logger
    access_logger = _logger
    access_log = False
    disconnected = False
    more_body = True
    response_started = False
    response_complete = False
    chunked_encoding: bool | None = None
    expected_content_length = 0
    keep_alive = True
    waiting_for_100_continue = False
    scope: Any  # the same as uvicorn's, under names of our own
    transport: Any
    body: Any = b""  # bytes, as long as they came in one piece

    def __init__(  # nothing of uvicorn's: it sets all of that
        self, connection: Connection, scope: Scope, *, keep_alive: bool, continues: bool
    ) -> None:
        self._prepare(connection)
        self.scope = scope
        self.keep_alive = keep_alive
        self.waiting_for_100_continue = continues

    def _prepare(self, connection: Connection) -> None:
        """Answer on this connection."""
        self.transport = connection.outgoing
        self.flow = connection.flow
        self.default_headers = connection.server_state.default_headers
        self.on_response: Callable[[], None] = connection.on_response_complete

    def feed(self, data: bytes) -> int:
        """Some of the body has come. How much of it waits to be received."""
        if not self.body:
            self.body = data
        elif isinstance(self.body, bytearray):
            self.body += data
        else:
            self.body = bytearray(self.body) + data
        self.set()
        return len(self.body)

    @property
    def message_event(self) -> Any:  # type: ignore[override]  # nobody sets it
        """What uvicorn sets when there is news: the exchange itself."""
        return self

    def set(self) -> None:
        """There is news for who receives."""
        self._has_news = True
        if self._news is not None:
            self._news.set()

    async def _wait(self) -> None:
        self._news = self._news or asyncio.Event()
        self._news.clear()
        await self._news.wait()

    async def receive(self) -> Any:
        """ASGI: some of the body, or that there is nobody any more."""
        if self.waiting_for_100_continue and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.waiting_for_100_continue = False
        if not self.disconnected and not self.response_complete:
            if self.flow.read_paused:
                self.flow.resume_reading()
            if not self._has_news:
                await self._wait()
            self._has_news = False
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        body, self.body = bytes(self.body), b""
        return {"type": "http.request", "body": body, "more_body": self.more_body}

    def receive_whole(self, bytes_max: int) -> bytes | None:
        """The whole body, if it has come and nobody has received any; None where `receive` has to.

        That is also where it is larger than that, or where the client has to be told something.
        """
        if (
            self.more_body
            or not self._has_news
            or self.disconnected
            or self.waiting_for_100_continue
            or self.flow.read_paused
            or len(self.body) > bytes_max
        ):
            return None
        self._has_news = False
        body, self.body = bytes(self.body), b""
        return body

    def respond_whole(self, status: int, lines: Lines, body: bytes) -> bool:
        """Send a whole answer, with its length among the fields; False where `send` has to.

        That is where the client does not read. What the lines say of the connection is not read.
        """
        if self.flow.write_paused or self.response_started:
            return False
        if self.disconnected:
            return True
        head = STATUS_LINE[status] + _default_lines(tuple(self.default_headers)) + lines
        if not self.keep_alive:
            head += b"connection: close\r\n"
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        self.transport.send(b"%b\r\n%b" % (head, body))
        self.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()
        return True


_default_lines = lru_cache(maxsize=1)(lines_of)  # of the server's own fields: a second's date


def answering(problem: Problem) -> AsgiApp:
    """An application that answers with a problem, whatever it is asked."""
    return lambda _scope, _receive, send: respond_problem(send, problem)

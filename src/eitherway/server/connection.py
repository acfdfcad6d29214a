"""One connection: uvicorn's protocol on httptools, with an end to everything a client sends.

uvicorn bounds neither the size nor the time of what comes before an application sees it. What is
refused here is answered with a problem, in its turn, and the connection is closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Set
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT

from ..gateway.wire import FORWARDED, Scope
from ..problem import Problem
from .bounds import FIRST_REQUEST_SECONDS, HEADERS_MAX, PIPELINED_MAX
from .crowd import Crowd
from .exchange import Exchange, answering
from .heads import Head
from .measure import TOO_MANY_HEADERS, StopParsingError, malformed
from .outgoing import Outgoing
from .plain import PlainExchange, doors_of
from .request import scope_of, without_upgrade
from .waiting import WaitingConnection


class Connection(WaitingConnection):
    """uvicorn's, which refuses what is too long, too slow, or ambiguous."""

    scope: Any  # uvicorn's types of ASGI are other names for the same

    def __init__(self, *args: Any, crowd: Crowd, **kwargs: Any) -> None:
        super().__init__(*args, crowd=crowd, **kwargs)
        self._last = False  # the server stops: one request, and no more
        self._problem: Problem | None = None  # that made a callback stop the parser
        self._plain: PlainExchange | None = None  # that has begun in this data
        self._behind_proxy = self.app
        if isinstance(self.app, ProxyHeadersMiddleware):
            self.app = self.app.app
        self._plain_doors = doors_of(self.app, self.root_path)

    def start(self, cycle: Exchange, app: Any) -> None:
        """Have an application answer."""
        self._start_asgi_task(cycle, app)

    # -- the transport ---------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """One more is open."""
        super().connection_made(transport)
        self.outgoing = Outgoing(transport, self.close, self.loop)
        if not self._crowd.admit(self, len(self.connections)):
            detail = "too many connections are open"
            self._refuse(Problem.of("too-many-connections", detail, retry_after_seconds=1))

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone, and so are the requests that have not begun."""
        self._crowd.move(self, None)
        self.pipeline.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, within bounds, unless the same head was parsed before."""
        measure = self._measure
        if self._deaf or (measure.in_body and self._unwanted(len(data))):
            self._ignore(len(data))
        elif measure.in_head or measure.in_body:
            self._parse(data)
        elif not self._take_known(data):
            self._parse(data)
            is_over = not (measure.in_head or measure.in_body or self._deaf)
            if is_over and isinstance(self.cycle, PlainExchange):
                self._crowd.heads_known.learn(data, self.cycle.head)

    def _take_known(self, data: bytes) -> bool:
        """Take a whole plain request whose head was parsed before; False: nothing was done."""
        before, found = self.cycle, self._crowd.heads_known.find(data)
        is_next = before is None or (before.response_complete and before.keep_alive)
        if found is None or not is_next or self._last:
            return False
        head, body = found
        door = self._plain_doors.get((head.method, head.url))
        if door is None or not door.special.isdisjoint(head.fields):
            return False
        self._crowd.move(self, None)
        self.cycle = plain = PlainExchange(self, door, head)
        plain.body = body
        plain.complete()
        return True

    def _parse(self, data: bytes) -> None:
        measure = self._measure
        in_body, body_bytes = measure.in_body, measure.body_bytes
        measure.feed(len(data))
        try:
            self.parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            if self._should_upgrade():
                self._crowd.move(self, None)
                self.outgoing.flush()
                self.handle_websocket_upgrade()
            else:
                self._parse_without_upgrade(data[upgrade.args[0] :])
            return
        except HttpParserError:
            self._plain = None
            if not self._deaf:
                self._refuse(self._problem or malformed(""))
            return
        if self._plain is not None:  # there is more to come
            plain, self._plain = self._plain, None
            plain.begin()
        problem = None
        if measure.in_head:
            problem = measure.unfinished_head(len(data), self.url, self.headers)
        elif in_body and measure.in_body:
            problem = measure.framing(len(data) - (measure.body_bytes - body_bytes))
        if problem is None:
            self._take_place()
        else:
            self._refuse(problem)

    def close(self) -> None:
        """Close after the last answer; while the client sends, so that it can read that answer."""
        if not self._deaf and not self._measure.in_body:
            self.outgoing.end()
        elif not self.transport.is_closing():
            self._deaf = True
            self._ignored_bytes = 0
            self.pipeline.clear()
            self._crowd.move(self, self._crowd.leaving)
            self.outgoing.write_eof()
            self.flow.resume_reading()

    def shutdown(self) -> None:
        """Close once what was asked is answered; a new connection has a moment to ask."""
        if self.cycle is not None or self._deaf:
            self.outgoing.flush()
            super().shutdown()
            return
        self._last = True
        self.loop.call_later(FIRST_REQUEST_SECONDS, self._close_unused)

    def _close_unused(self) -> None:
        if self.cycle is None:
            self.outgoing.end()

    # -- the parser's callbacks ------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        self.url = b""
        self.headers = []
        self._measure.begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """As uvicorn's, up to a number of them."""
        headers = self.headers
        if len(headers) >= HEADERS_MAX:
            self._stop_parsing(TOO_MANY_HEADERS)
        headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Serve the request, unless something is wrong with it."""
        if len(self.pipeline) >= PIPELINED_MAX:
            self._deaf = True
            self.cycle.keep_alive = False  # the last that is answered
            raise StopParsingError
        parser, fields = self.parser, dict(self.headers)
        method, lasts = parser.get_method(), parser.should_keep_alive()
        # The parser makes a text of the version. What lasts, and does not say so, is HTTP/1.1.
        said = b"connection" in fields or not lasts
        version = parser.get_http_version() if said else "1.1"
        problem = self._measure.head(version, self.url, self.headers, fields)
        if problem is None and method == b"CONNECT":
            problem = malformed("there are no tunnels here")
        if problem is not None:
            self._stop_parsing(problem)
        self._measure.begin_body()
        keep_alive = version != "1.0" and lasts and not self._last
        door = self._plain_doors.get((method, self.url))
        if door is not None and keep_alive and self._may_be_plain(version, fields, door.special):
            head = Head(method, self.url, self.headers, fields)
            self.cycle = self._plain = PlainExchange(self, door, head)
            self.headers = []
            return
        self.scope = scope_of(self, method.decode("ascii"), version, self.url, self.headers)
        if not parser.should_upgrade():  # or the parser stops, and `data_received` goes on
            self._serve(fields, keep_alive=keep_alive)

    def _may_be_plain(
        self, version: str, fields: Mapping[bytes, bytes], special: Set[bytes]
    ) -> bool:
        """Whether nothing comes before the request, and it says nothing special, each once."""
        is_next = self.cycle is None or self.cycle.response_complete
        is_simple = version == "1.1" and len(fields) == len(self.headers)
        return is_next and is_simple and special.isdisjoint(fields)

    def _serve(self, fields: Mapping[bytes, bytes], *, keep_alive: bool) -> None:
        """Begin with a request, once those before it are answered."""
        before = self.cycle
        self.cycle = Exchange(
            self,
            self.scope,
            keep_alive=keep_alive,
            continues=fields.get(b"expect", b"").lower() == b"100-continue",
        )
        app = self.app if FORWARDED.isdisjoint(fields) else self._behind_proxy
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, app))
        self.headers = []  # trailers come after the body: nobody sees them

    def on_body(self, body: bytes) -> None:
        """Some of the body."""
        self._measure.body_bytes += len(body)
        if self._plain is not None and not self._plain.body:
            self._plain.body = body
            return
        if not self.cycle.response_complete and self.cycle.feed(body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()

    def on_chunk_header(self) -> None:
        """A chunk of the body begins."""
        problem = self._measure.chunk()
        if problem is not None:
            self._stop_parsing(problem)

    def on_message_complete(self) -> None:
        """The last byte of a request."""
        self._measure.in_body = False
        if self._plain is not None:
            plain, self._plain = self._plain, None
            plain.complete()
        elif not self.parser.should_upgrade() and not self.cycle.response_complete:
            self.cycle.more_body = False
            self.cycle.set()

    def on_response_complete(self) -> None:
        """As uvicorn's, whose timer for idle connections the crowd replaces."""
        self.outgoing.flush()
        self.server_state.total_requests += 1
        if self.transport.is_closing() or self.place is self._crowd.leaving:
            return
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        if self.flow.read_paused and not self.pipeline:
            self.flow.resume_reading()
        if not self._deaf:
            self._take_place()

    def _parse_without_upgrade(self, rest: bytes) -> None:
        """Go on after headers that ask for an upgrade which is not made.

        It is a plain request then (RFC 9110, section 7.8), but its parser has lost the body. Java's
        HttpClient asks for h2c on every first request.
        """
        version = self.parser.get_http_version()
        head = without_upgrade(self.scope["method"], self.url, version, self.headers)
        self.parser = HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's
        self.data_received(head + rest)

    # -- refusing --------------------------------------------------------------------------------

    def _stop_parsing(self, problem: Problem) -> None:
        self._problem = problem
        raise StopParsingError

    def _refuse(self, problem: Problem) -> None:
        """Answer what cannot be served, after what came before it, and hear no more."""
        self._deaf = True
        self._crowd.move(self, None)
        self._crowd.refused(problem.name)
        before = self.cycle
        waits = before is not None and not before.response_complete
        if before is not None and self._measure.in_body:  # what is wrong is its own body
            if before.response_started:
                self.close() if before.response_complete else self.outgoing.end()
                return
            if self.pipeline:
                self.pipeline.popleft()
            else:
                waits = False
                before.disconnected = True  # whoever reads the body learns that it is over
                before.set()
        last: Scope = {"type": "http", "method": "GET"}
        self.cycle = Exchange(self, last, keep_alive=False, continues=False)

        app: Any = answering(problem)
        if waits:
            self.pipeline.appendleft((self.cycle, app))
        else:
            self._start_asgi_task(self.cycle, app)

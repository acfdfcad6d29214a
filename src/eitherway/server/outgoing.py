"""What a connection sends: a head with its body, in one system call.

A call takes the kernel longer than most requests take us, and a response is written in two parts.
What is complete goes out at once; what is not, with all else of its turn of the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from .bounds import UNSENT_BYTES_MAX


class Outgoing:
    """Stands between uvicorn and the transport, as the transport; `close` is the connection's."""

    __slots__ = ("_bytes", "_loop", "_parts", "_transport", "close", "is_closing")

    def __init__(
        self,
        transport: asyncio.Transport,
        close: Callable[[], None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []
        self._bytes = 0
        self.close = close
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        """Send at the end of this turn, if not before; at once, where that is much."""
        if not self._parts:
            self._loop.call_soon(self.flush)
        self._parts.append(data)
        self._bytes += len(data)
        if self._bytes > UNSENT_BYTES_MAX:
            self.flush()

    def send(self, data: bytes) -> None:
        """Send at once: it is complete."""
        if self._parts:
            self.write(data)
            self.flush()
        elif not self.is_closing():
            self._transport.write(data)

    def write_eof(self) -> None:
        """Send, and say that there is no more."""
        self.flush()
        self._transport.write_eof()

    def end(self) -> None:
        """Send, and close the transport."""
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        """Send what the system takes, and close at once."""
        self.flush()
        self._transport.abort()

    def flush(self) -> None:
        """Send now: it is complete, or somebody else is about to write, or to close."""
        if self._parts:
            parts, self._parts, self._bytes = self._parts, [], 0
            if not self._transport.is_closing():
                self._transport.write(b"".join(parts))

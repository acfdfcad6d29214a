"""Whole answers: handed to a server of ours in one piece, their fields as lines."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from functools import lru_cache
from time import perf_counter
from typing import TYPE_CHECKING, Any, NewType

if TYPE_CHECKING:
    from .wire import Header, Send

Lines = NewType("Lines", bytes)
"""Fields as they stand in a message. Made by `lines_of`: each stands on a line of its own."""

RespondWhole = Callable[[int, Lines, bytes], bool]
"""Sends status, fields and body of an answer; False where two messages have to do it."""

_CLOSE: Header = (b"connection", b"close")


def lines_of(fields: Iterable[Header]) -> Lines:
    """The fields as lines. `RuntimeError` where one cannot stand on a line."""
    each = [b"%b: %b\r\n" % field for field in fields]
    lines = b"".join(each)
    if not lines.count(b"\r") == lines.count(b"\n") == len(each) or b"\0" in lines:
        raise RuntimeError("Invalid HTTP header value.")
    return Lines(lines)


_lines_of_few = lru_cache(maxsize=64)(lines_of)


def fields_of(lines: Lines) -> list[Header]:
    """The fields of the lines."""
    pairs = (line.split(b": ", 1) for line in lines.splitlines())
    return [(name, value) for name, value in pairs]


class Answering:
    """`send`, which adds `fields` to the response, and remembers its status."""

    __slots__ = ("_respond_whole", "_send", "fields", "started", "status")

    def __init__(self, send: Send) -> None:
        self._send = send
        # of our server's own `send`; who passes on another one wants to see what is sent
        server = getattr(send, "__self__", None)
        self._respond_whole: RespondWhole | None = getattr(server, "respond_whole", None)
        self.fields: list[Header] = []
        self.status = 0  # 0: nothing was answered, the client had gone
        self.started = perf_counter()

    def __call__(self, message: MutableMapping[str, Any]) -> Awaitable[None]:
        """Pass a message on."""
        if "status" in message:
            self.status = message["status"]
            if self.fields:
                message["headers"] = [*message["headers"], *self.fields]
        return self._send(message)

    def whole_of(self, status: int, fields: Sequence[Header], body: bytes) -> bool:
        """Pass a whole answer on, where the server takes one.

        What becomes of the connection, a server is told in messages.
        """
        if self._respond_whole is None or _CLOSE in fields:
            return False
        return self.whole(status, lines_of(fields), body)

    def whole(self, status: int, lines: Lines, body: bytes) -> bool:
        """The same, where the fields are lines already."""
        if self._respond_whole is None:
            return False
        if self.fields:  # few answers have many, or others than the last one
            lines = Lines(lines + _lines_of_few(tuple(self.fields)))
        if not self._respond_whole(status, lines, body):
            return False
        self.status = status
        return True

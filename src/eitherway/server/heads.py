"""Heads of plain requests that were parsed before: most clients send the same one again and again.

To parse a head, look at its fields and find its door takes as long as all that is decoded of the
body. What a head says depends on its bytes alone, so the same bytes are not parsed again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..gateway.wire import Header

_END = b"\r\n\r\n"
_HEADS_MAX = 256
_HEAD_BYTES_MAX = 1_024
"""Of what is remembered of clients: what they make up is no memory of ours."""


@dataclass(slots=True)
class Head:
    """What the parser made of a plain request's line and fields."""

    method: bytes
    url: bytes
    headers: Sequence[Header]
    fields: Mapping[bytes, bytes]  # the same by name, of which each is there once


class KnownHeads:
    """The heads of the last plain requests that came whole, in one piece."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[Head, int]] = {}  # with the length of the body

    def find(self, data: bytes) -> tuple[Head, bytes] | None:
        """Head and body of the one request that these bytes are; None where a parser has to say."""
        end = data.find(_END, 0, _HEAD_BYTES_MAX) + len(_END)
        found = self._known.get(data[:end])
        if found is None:
            return None
        head, body_bytes = found
        return (head, data[end:]) if len(data) - end == body_bytes else None

    def learn(self, data: bytes, head: Head) -> None:
        """Remember what a parser made of these bytes, if they were this one request, all of it."""
        at = data.find(_END, 0, _HEAD_BYTES_MAX)
        body_bytes = len(data) - at - len(_END)
        is_whole = at >= 0 and head.fields.get(b"content-length") == b"%d" % body_bytes
        if not is_whole or b"transfer-encoding" in head.fields:
            return
        if len(self._known) >= _HEADS_MAX:
            del self._known[next(iter(self._known))]
        self._known[data[: at + len(_END)]] = head, body_bytes

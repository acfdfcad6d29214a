"""What one request has cost so far, against what it may cost."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from ..problem import Problem
from .bounds import (
    CHUNK_BYTES_MIN,
    CHUNKS_FREE,
    FRAMING_BYTES_FREE,
    HEADERS_MAX,
    KNOWN_BYTES_MAX,
    URL_BYTES_MAX,
    Bounds,
)

Headers = Sequence[tuple[bytes, bytes]]

_HOST = re.compile(rb"[A-Za-z0-9._~%!$&'()*+,;=:\[\]-]*")  # RFC 3986, section 3.2, without userinfo

TOO_MANY_HEADERS = Problem.of("headers-too-large", f"a request may have {HEADERS_MAX} headers")
_URL_TOO_LONG = Problem.of("url-too-long", f"a request's URL may have {URL_BYTES_MAX} bytes")


class StopParsingError(Exception):
    """Raised in a callback of the parser."""


def malformed(detail: str) -> Problem:
    """A request that is not valid HTTP."""
    return Problem.of("malformed-request", detail)


_TINY_CHUNKS = malformed("the body's chunks are too small")
_MUCH_FRAMING = malformed("the body has more framing than data")
_NOT_ONE_HOST = malformed("a request has one Host header")
_NO_HOST = malformed("the Host header names no host")


class Measure:
    """Counts the bytes of the request that a connection is in: first its head, then its body."""

    __slots__ = (
        "_body_bytes_seen",
        "_bounds",
        "_chunks",
        "_fed_bytes",
        "_framing_bytes",
        "_head_began",
        "_head_bytes",
        "body_bytes",
        "in_body",
        "in_head",
    )

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self.in_head = False
        self.in_body = False
        self.body_bytes = 0
        self._head_began = False  # with the data that was fed last
        self._head_bytes = 0  # of an unfinished one
        self._fed_bytes = 0  # with the data in which it began: no head is longer than that
        self._body_bytes_seen = 0  # by the last look at its pace
        self._chunks = 0
        self._framing_bytes = 0

    def begin(self) -> None:
        """A request begins."""
        self.in_head = self._head_began = True

    def begin_body(self) -> None:
        """Its headers are complete."""
        self.in_head, self.in_body = False, True
        self.body_bytes = self._body_bytes_seen = self._chunks = self._framing_bytes = 0

    def feed(self, data_bytes: int) -> None:
        """So much is about to be parsed."""
        self._fed_bytes = data_bytes + (self._fed_bytes if self.in_head else 0)

    def unfinished_head(self, data_bytes: int, url: bytes, headers: Headers) -> Problem | None:
        """What is wrong after data that ended within the headers."""
        if self._head_began:
            self._head_began = False
            self._head_bytes = _parsed_bytes(url, headers)
        else:
            self._head_bytes += data_bytes
        return self._too_long(self._head_bytes, url)

    def head(
        self, version: str, url: bytes, headers: Headers, fields: Mapping[bytes, bytes]
    ) -> Problem | None:
        """What is wrong with the headers, now that they are complete, also by their `fields`."""
        if len(url) > URL_BYTES_MAX or self._fed_bytes > self._bounds.header_bytes_max:
            problem = self._too_long(_parsed_bytes(url, headers), url)
            if problem is not None:
                return problem
        return _host_problem(version, headers, fields)

    def _too_long(self, head_bytes: int, url: bytes) -> Problem | None:
        if len(url) > URL_BYTES_MAX:
            return _URL_TOO_LONG
        bytes_max = self._bounds.header_bytes_max
        if head_bytes > bytes_max:
            detail = f"a request's line and headers may have {bytes_max} bytes"
            return Problem.of("headers-too-large", detail)
        return None

    def chunk(self) -> Problem | None:
        """A chunk begins: many tiny ones cost more than they bring."""
        self._chunks += 1
        tiny = self._chunks * CHUNK_BYTES_MIN > self.body_bytes
        return _TINY_CHUNKS if self._chunks > CHUNKS_FREE and tiny else None

    def framing(self, framing_bytes: int) -> Problem | None:
        """After data that was all within a body: chunk extensions and trailers have an end, too."""
        self._framing_bytes += framing_bytes
        much = self._framing_bytes > FRAMING_BYTES_FREE + self.body_bytes
        return _MUCH_FRAMING if much else None

    def on_pace(self, seconds: float) -> bool:
        """Whether the body came fast enough since the last look, so long ago."""
        came = self.body_bytes - self._body_bytes_seen
        self._body_bytes_seen = self.body_bytes
        return came >= self._bounds.body_bytes_per_second_min * seconds


def _parsed_bytes(url: bytes, headers: Headers) -> int:
    return len(url) + sum(len(name) + len(value) + 4 for name, value in headers)


def _host_problem(version: str, headers: Headers, fields: Mapping[bytes, bytes]) -> Problem | None:
    """RFC 9112, section 3.2: exactly one `Host`, and one that can be a host."""
    host = fields.get(b"host")
    if host is None:
        return _NOT_ONE_HOST if version == "1.1" else None
    if len(fields) < len(headers) and sum(name == b"host" for name, _ in headers) > 1:
        return _NOT_ONE_HOST
    match = _known_host if len(host) <= KNOWN_BYTES_MAX else _HOST.fullmatch
    return None if match(host) else _NO_HOST


_known_host = lru_cache(maxsize=64)(_HOST.fullmatch)  # most requests are for a few

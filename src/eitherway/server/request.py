"""What the server makes of a request's head: the scope of ASGI."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import unquote

from httptools import parse_url

from ..gateway.wire import Header, Scope
from .bounds import KNOWN_BYTES_MAX

if TYPE_CHECKING:
    from .connection import Connection


def scope_of(
    connection: Connection, method: str, version: str, url: bytes, headers: Sequence[Header]
) -> Scope:
    """The scope of a request whose headers are complete."""
    path, raw_path, query = _known(url) if len(url) <= KNOWN_BYTES_MAX else _parsed(url)
    root_path = connection.root_path
    return {
        "type": "http",
        "asgi": {"version": connection.asgi_version, "spec_version": "2.3"},
        "http_version": version,
        "server": connection.server,
        "client": connection.client,
        "scheme": connection.scheme,
        "root_path": root_path,
        "headers": headers,
        "state": connection.app_state.copy(),
        "method": method,
        "path": root_path + path,
        "raw_path": root_path.encode("ascii") + raw_path,
        "query_string": query,
    }


def without_upgrade(method: str, url: bytes, version: str, headers: Sequence[Header]) -> bytes:
    """The head of a request once more, which does not ask for an upgrade."""
    lines = [b"%b %b HTTP/%b\r\n" % (method.encode(), url, version.encode())]
    lines += [b"%b: %b\r\n" % header for header in headers if header[0] != b"upgrade"]
    return b"".join([*lines, b"\r\n"])


def _parsed(url: bytes) -> tuple[str, bytes, bytes]:
    """A URL's path, the same as it came, and its query."""
    parsed = parse_url(url)
    path = parsed.path.decode("ascii")
    return unquote(path) if "%" in path else path, parsed.path, parsed.query or b""


_known = lru_cache(maxsize=256)(_parsed)  # most are of a few operations

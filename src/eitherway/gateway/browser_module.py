"""`GET /eitherway.js`: the client for pages, which is the file beside this module."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib.resources import files

from .routes import Request
from .wire import Header, header, respond


async def show_module(request: Request) -> None:
    """The module, which a browser keeps, and asks each time whether it is still this one."""
    body, etag = _module()
    fields: list[Header] = [
        (b"etag", etag),
        (b"cache-control", b"public, no-cache"),
        (b"x-content-type-options", b"nosniff"),
    ]
    asked = header(request.scope, b"if-none-match") or b""
    status = 304 if etag in asked else 200
    await respond(
        request.send,
        status,
        body,
        media_type=b"text/javascript; charset=utf-8",
        headers=fields,
        head=request.head,
    )


@cache
def _module() -> tuple[bytes, bytes]:
    body = (files(__package__) / "eitherway.js").read_bytes()
    return body, b'"%s"' % sha256(body).hexdigest()[:16].encode()

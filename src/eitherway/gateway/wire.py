"""ASGI, close to the metal: requests read within bounds, answers written in two messages."""

from __future__ import annotations

import math
from collections.abc import (
    Awaitable,
    Callable,
    Container,
    Iterable,
    Mapping,
    MutableMapping,
)
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

from ..errors import EitherwayError
from ..problem import Answer, Problem
from ..trace import Trace
from .whole import Answering, Lines, fields_of

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]
ReceiveWhole = Callable[[int], bytes | None]
"""The body, of so many bytes at most; None where messages have to bring it."""

# what stays out of `Context.headers`, and so out of the store: credentials, one hop's own, and the
# trace, which is each attempt's own there
_NOT_FOR_HANDLERS = frozenset(
    b"authorization cookie proxy-authorization connection keep-alive te trailer transfer-encoding "
    b"upgrade host content-length content-type content-encoding expect "
    b"traceparent tracestate".split()
)


FORWARDED = frozenset({b"x-forwarded-for", b"x-forwarded-proto"})
"""What a proxy says of whom a request came from."""


class ClientGoneError(EitherwayError):
    """The client hung up before its request was whole."""


class RefusedError(EitherwayError):
    """The request is answered with this problem, and these headers."""

    def __init__(self, problem: Problem, headers: Iterable[Header] = ()) -> None:
        super().__init__(problem.detail)
        self.problem = problem
        self.headers = list(headers)


def path_within(scope: Scope) -> str:
    """The path below the one that the application is mounted at (`root_path`)."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    if not root or not path.startswith(root):  # some servers leave the root out of the path
        return path
    below = path[len(root) :]
    return below if not below or below[0] == "/" or root[-1] == "/" else path


def header(scope: Scope, name: bytes) -> bytes | None:
    """The first header of this lower-case name."""
    for key, value in scope["headers"]:
        if key == name:
            found: bytes = value
            return found
    return None


def handler_headers(
    headers: Iterable[Header], credentials: Container[bytes] = ()
) -> dict[str, str]:
    """The headers that a handler may see, by lower-case name: `credentials` are none of them."""
    return {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in headers
        if name not in _NOT_FOR_HANDLERS and name not in credentials
    }


def trace_of(headers: Iterable[Header]) -> Trace | None:
    """The trace that a request belongs to; None where it names none, or not in a valid way."""
    values: dict[bytes, list[str]] = {b"traceparent": [], b"tracestate": []}
    for name, value in headers:
        if name in values:
            values[name].append(value.decode("latin-1"))
    return Trace.of(*values.values()) if values[b"traceparent"] else None


def query(scope: Scope) -> dict[str, str]:
    """The query's parameters; the last one of a name counts."""
    raw = scope["query_string"]
    return dict(parse_qsl(raw.decode("latin-1"), keep_blank_values=True)) if raw else {}


async def read_body(receive: Receive, declared: bytes | None, bytes_max: int) -> bytes:
    """The whole body. `RefusedError` (413) as soon as it is known to be larger than `bytes_max`.

    `declared` is its Content-Length.
    """
    if declared is not None and declared.isdigit() and int(declared) > bytes_max:
        raise _too_large(bytes_max)
    message = await receive()
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        chunks, size = [body], len(body)
        while message.get("more_body") and size <= bytes_max:
            message = await receive()
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
        body = b"".join(chunks)
    if message["type"] == "http.disconnect":
        raise ClientGoneError("the client hung up")
    if len(body) > bytes_max:
        raise _too_large(bytes_max)
    return body


def _too_large(bytes_max: int) -> RefusedError:
    problem = Problem.of("payload-too-large", f"a body may have {bytes_max} bytes")
    return RefusedError(problem, [(b"connection", b"close")])


async def respond(
    send: Send,
    status: int,
    body: bytes,
    *,
    media_type: bytes = b"application/json",
    headers: Iterable[Header] = (),
    head: bool = False,
) -> None:
    """Send one whole response; with `head`, all of it but the body."""
    if status in (204, 304):
        fields, body = [*headers], b""
    else:
        fields = described(headers, media_type, len(body))
    if head:
        body = b""
    if isinstance(send, Answering) and send.whole_of(status, fields, body):
        return
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})


async def respond_lines(send: Send, status: int, lines: Lines, body: bytes) -> None:
    """The same, where the fields are lines already, those of the body among them."""
    if not (isinstance(send, Answering) and send.whole(status, lines, body)):
        headers = fields_of(lines)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def described(fields: Iterable[Header], media_type: bytes, length: int) -> list[Header]:
    """Fields, and what they say of a body."""
    return [*fields, (b"content-type", media_type), (b"content-length", b"%d" % length)]


def respond_answer(
    send: Send, answer: Answer, headers: Iterable[Header] = (), *, head: bool = False
) -> Awaitable[None]:
    """Send an answer that a handler, or a problem, made."""
    return respond(
        send,
        answer.status,
        answer.body,
        media_type=answer.media_type.encode(),
        headers=headers,
        head=head,
    )


async def respond_problem(
    send: Send, problem: Problem, headers: Iterable[Header] = (), *, head: bool = False
) -> None:
    """Send a problem; with `Retry-After` where it has one."""
    fields = [*headers]
    if problem.retry_after_seconds is not None:
        fields.append(retry_after(problem.retry_after_seconds))
    await respond_answer(send, Answer.of_problem(problem.document()), fields, head=head)


async def deny_websocket(
    scope: Scope, send: Send, problem: Problem, headers: Iterable[Header] = ()
) -> None:
    """Answer a WebSocket's handshake with a problem; a server that cannot say why says 403."""
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close"})
        return

    async def deny(message: MutableMapping[str, Any]) -> None:
        await send({**message, "type": f"websocket.{message['type']}"})

    await respond_problem(deny, problem, headers)


async def refuse(scope: Scope, receive: Receive, send: Send, problem: Problem) -> None:
    """Answer whatever was asked for, a request or a WebSocket, with a problem."""
    if scope["type"] == "websocket":
        await receive()  # websocket.connect
        await deny_websocket(scope, send, problem)
    else:
        await respond_problem(send, problem, head=scope["method"] == "HEAD")


def retry_after(seconds: float) -> Header:
    """`Retry-After` in whole seconds, at least 1 (RFC 9110, section 10.2.3)."""
    return (b"retry-after", str(max(1, math.ceil(seconds))).encode())


def base_url(scope: Scope, public_url: str | None) -> str:
    """What absolute links begin with: the configured URL, else the request's own."""
    if public_url:
        return public_url.rstrip("/")
    host = header(scope, b"host")
    if host is None:
        server = scope.get("server") or ("localhost", None)
        host = f"{server[0]}:{server[1]}".encode() if server[1] else str(server[0]).encode()
    return url_of(scope.get("scheme", "http"), host, scope.get("root_path", ""))


@lru_cache(maxsize=16)
def url_of(scheme: str, host: bytes, root: str = "") -> str:
    """What is served there, as absolute links begin."""
    return f"{scheme}://{host.decode('latin-1')}{root}"


def json_type(content_type: bytes | None) -> bool:
    """Whether a media type is JSON: `application/json`, or anything `+json` (RFC 6839)."""
    if content_type is None or content_type == b"application/json":
        return content_type is not None
    media = content_type.split(b";", 1)[0].strip().lower()
    return media == b"application/json" or media.endswith(b"+json")


def entity_tags(value: bytes | None) -> set[bytes]:
    """The tags of `If-None-Match`, compared weakly."""
    if value is None:
        return set()
    tags = (tag.strip().removeprefix(b"W/") for tag in value.split(b","))
    return {tag if tag == b"*" else b"W/" + tag for tag in tags if tag}


def allow(methods: Mapping[str, object]) -> Header:
    """`Allow` (RFC 9110, section 10.2.1)."""
    return (b"allow", ", ".join(sorted(methods)).encode())

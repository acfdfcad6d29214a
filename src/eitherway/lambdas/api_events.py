"""Requests of API Gateway, both formats, as ASGI has them; and answers as either wants them.

Formats: "Lambda proxy integrations" 1.0 (REST APIs, and the handshake of WebSocket APIs) and 2.0
(HTTP APIs) of the API Gateway developer guide.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote, urlencode

Event = Mapping[str, Any]
Headers = Sequence[tuple[bytes, bytes]]

_FUNCTION_URL = ".lambda-url."
_TEXT = (b"application/json", b"application/xml", b"application/javascript", b"image/svg+xml")


def scope_of(event: Event) -> dict[str, Any]:
    """The ASGI scope of a request. The stage is where the application is mounted (`root_path`)."""
    return _scope_2(event) if event.get("version") == "2.0" else _scope_1(event)


def body_of(event: Event) -> bytes:
    """The request's body; empty where there is none."""
    body = event.get("body") or ""
    return b64decode(body) if event.get("isBase64Encoded") else body.encode()


def answer_to(event: Event, status: int, headers: Headers, body: bytes) -> dict[str, Any]:
    """What the function returns, in the format in which it was asked."""
    text = _is_text(headers)
    answer: dict[str, Any] = {
        "statusCode": status,
        "body": body.decode("utf-8", "replace") if text else b64encode(body).decode(),
        "isBase64Encoded": not text,
    }
    fields = _gathered(headers)
    if event.get("version") == "2.0":
        cookies = fields.pop("set-cookie", [])
        answer["headers"] = {name: ", ".join(values) for name, values in fields.items()}
        return {**answer, "cookies": cookies} if cookies else answer
    return {**answer, "multiValueHeaders": fields}


def _scope_1(event: Event) -> dict[str, Any]:
    context = event["requestContext"]
    below = event.get("path") or "/"
    whole = context.get("path") or below
    root = "" if whole == below else _stage_of(whole, context.get("stage", ""))
    many = event.get("multiValueHeaders") or {}
    one = {name: [value] for name, value in (event.get("headers") or {}).items()}
    query = event.get("multiValueQueryStringParameters") or event.get("queryStringParameters")
    identity = context.get("identity") or {}
    return _scope(
        event,
        method=event.get("httpMethod", "GET"),
        path=root + below,
        root=root,
        query=urlencode(query or {}, doseq=True),
        headers=_fields(many or one),
        client=identity.get("sourceIp"),
        protocol=context.get("protocol"),
    )


def _scope_2(event: Event) -> dict[str, Any]:
    context = event["requestContext"]
    http, path = context["http"], event["rawPath"]
    if _FUNCTION_URL not in context.get("domainName", ""):
        path = quote(path)  # an HTTP API has decoded it, a REST API and a function's URL have not
    headers = _fields({name: [value] for name, value in (event.get("headers") or {}).items()})
    if cookies := event.get("cookies"):
        headers.append((b"cookie", "; ".join(cookies).encode("latin-1", "replace")))
    return _scope(
        event,
        method=http["method"],
        path=path,
        root=_stage_of(path, context.get("stage", "$default")),
        query=event.get("rawQueryString") or "",
        headers=headers,
        client=http.get("sourceIp"),
        protocol=http.get("protocol"),
    )


def _stage_of(path: str, stage: str) -> str:
    """The stage as a path begins with it; empty under a domain of one's own, which maps to it."""
    return f"/{stage}" if f"{path}/".startswith(f"/{stage}/") else ""


def _scope(
    event: Event,
    *,
    method: str,
    path: str,
    root: str,
    query: str,
    headers: list[tuple[bytes, bytes]],
    client: str | None,
    protocol: str | None,
) -> dict[str, Any]:
    named = dict(reversed(headers))
    domain = event["requestContext"].get("domainName")
    if b"host" not in named and domain:
        headers.append((b"host", domain.encode("latin-1")))
    body = body_of(event)
    if body and b"content-length" not in named:
        headers.append((b"content-length", str(len(body)).encode()))
    scheme = named.get(b"x-forwarded-proto", b"https").split(b",")[0].strip()
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": (protocol or "HTTP/1.1").removeprefix("HTTP/"),
        "method": method,
        "scheme": scheme.decode("latin-1"),
        "path": unquote(path),
        "raw_path": path.encode(),
        "root_path": root,
        "query_string": query.encode(),
        "headers": headers,
        "client": (client, 0) if client else None,
        "server": (domain or "localhost", 443),
    }


def _fields(many: Mapping[str, Sequence[str] | None]) -> list[tuple[bytes, bytes]]:
    return [
        (name.lower().encode("latin-1", "replace"), str(value).encode("latin-1", "replace"))
        for name, values in many.items()
        for value in values or ()
        if value is not None
    ]


def _gathered(headers: Headers) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for name, value in headers:
        fields.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return fields


def _is_text(headers: Headers) -> bool:
    """Whether the body may travel as it is: API Gateway's own format is text."""
    named = dict(headers)
    media = named.get(b"content-type", b"text/plain").split(b";")[0].strip().lower()
    plain = media.startswith(b"text/") or media.endswith((b"+json", b"+xml")) or media in _TEXT
    return plain and b"content-encoding" not in named

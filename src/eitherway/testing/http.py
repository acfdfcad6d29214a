"""HTTP without a socket: one ASGI request, whole."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pydantic_core import from_json, to_json

from ..app import App


@dataclass(frozen=True)
class Response:
    """What the gateway answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, decoded."""
        return from_json(self.body)


async def request(
    app: App,
    method: str,
    url: str,
    *,
    json: Any = None,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Send one request to the app's gateway; `json` is encoded and labelled as JSON."""
    fields = {"host": "testserver", **(headers or {})}
    if json is not None:
        body = to_json(json)
        fields.setdefault("content-type", "application/json")
    parts = urlsplit(url)
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": parts.path,
        "raw_path": parts.path.encode(),
        "query_string": parts.query.encode(),
        "root_path": "",
        "headers": [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in fields.items()
        ],
        "client": ("127.0.0.1", 1),
        "server": ("testserver", 80),
    }
    sent: list[dict[str, Any]] = []
    asked = [{"type": "http.request", "body": body or b"", "more_body": False}]

    async def receive() -> dict[str, Any]:
        if not asked:  # the client stays, and says nothing more
            await asyncio.Event().wait()
        return asked.pop()

    async def send(message: Any) -> None:
        sent.append(dict(message))

    await app(scope, receive, send)
    start = sent[0]
    return Response(
        status=start["status"],
        headers={
            name.decode("latin-1"): value.decode("latin-1") for name, value in start["headers"]
        },
        body=b"".join(message.get("body", b"") for message in sent[1:]),
    )

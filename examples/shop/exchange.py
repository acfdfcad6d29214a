"""Both ways of serving an order, shown as the HTTP exchanges that they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from textwrap import indent
from typing import Any
from urllib.parse import urlsplit

from client import Client, Response
from rich.console import Console
from rich.text import Text

_JSON = {"content-type": "application/json"}
_HEADERS_HIDDEN = {"date", "content-length", "connection", "operation-location"}
_FIELDS_SHOWN_AGAIN = ("id", "operation", "status", "done", "created", "started", "finished",
                       "attempt", "attempts", "result", "error")  # fmt: skip
_ORDER = {"order_id": "o-1001", "amount": 19.9}


class Exchanges:
    """Sends requests and prints what went over the wire, both ways."""

    def __init__(self, client: Client, console: Console) -> None:
        self._client = client
        self._console = console

    async def show_all(self) -> bool:
        """Show the four of them; whether each answered as it should."""
        direct = await self._direct()
        queued = await self._queued(direct)
        return all([direct.status == 200, queued, await self._refused(), await self._retried()])

    async def _direct(self) -> Response:
        title(self._console, "1. direct: the caller waits for the answer")
        return await self._post("/orders/direct", _ORDER)

    async def _queued(self, direct: Response) -> bool:
        title(self._console, "2. queued: stored and confirmed at once, done by a worker")
        job = urlsplit((await self._post("/orders", _ORDER)).headers["location"]).path
        await self._send("GET", job, {"prefer": "wait=10"}, again=True)
        result = await self._send("GET", f"{job}/result")
        same = (result.status, result.body) == (direct.status, direct.body)
        has = "the same bytes as" if same else "NOT the bytes of"
        self._say(f"The result has {has} the direct answer in 1.")
        return same

    async def _refused(self) -> bool:
        title(self._console, "3. direct, past its limit of one a second: refused, nothing stored")
        await self._post("/orders/slowly", {**_ORDER, "order_id": "o-1002"})
        refused = await self._post("/orders/slowly", {**_ORDER, "order_id": "o-1003"})
        return refused.status == 503 and "retry-after" in refused.headers

    async def _retried(self) -> bool:
        title(self._console, "4. queued, failing once: retried, with every attempt on record")
        answer = await self._post("/orders/flaky", {**_ORDER, "order_id": "o-1004"}, again=True)
        job = urlsplit(answer.headers["location"]).path
        ended = await self._send("GET", job, {"prefer": "wait=10"}, again=True)
        attempts = json.loads(ended.body)["attempts"]
        outcomes = ", then ".join(str(attempt["outcome"]) for attempt in attempts)
        self._say(f"{len(attempts)} attempts: {outcomes}.")
        return outcomes == "error, then succeeded"

    async def _post(self, path: str, order: Mapping[str, Any], *, again: bool = False) -> Response:
        return await self._send("POST", path, _JSON, json.dumps(order).encode(), again=again)

    async def _send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        again: bool = False,
    ) -> Response:
        self._print(Text(f"> {method} {path} HTTP/1.1", "bold cyan"), headers or {}, body)
        response = await self._client.request(method, path, headers=headers, body=body)
        took_ms = (response.received - response.sent) * 1000
        colour = "green" if response.status < 400 else "yellow"
        line = Text(f"< HTTP/1.1 {response.status} {response.reason}", f"bold {colour}")
        line.append(f"   (after {took_ms:,.1f} ms)", "not bold dim")
        self._print(line, response.headers, response.body, again=again)
        return response

    def _print(
        self, line: Text, headers: Mapping[str, str], body: bytes, *, again: bool = False
    ) -> None:
        for name, value in headers.items():
            if name not in _HEADERS_HIDDEN:
                line.append(f"\n  {name}: ", "not bold dim").append(value, "not bold default")
        self._console.print(line, soft_wrap=True)  # what is cut cannot be copied
        if body:
            text = indent(laid_out(body, self._console.width - 2, again=again), "  ")
            self._console.print(_coloured(text), soft_wrap=True)
        self._console.print()

    def _say(self, sentence: str) -> None:
        self._console.print(f"{sentence}\n")


def title(console: Console, text: str) -> None:
    """Begin a part of the demo."""
    console.rule(f"[bold]{text}[/]", align="left", style="dim")
    console.print()


def laid_out(body: bytes, width: int, *, again: bool = False) -> str:
    """JSON for reading: what fits in a line stays in it. `again`: a document seen before, cut."""
    value = json.loads(body)
    if not again:
        return _layout(value, width, 0)
    shown = {name: value[name] for name in _FIELDS_SHOWN_AGAIN if name in value}
    return f"{_layout(shown, width, 0)}\n(and {len(value) - len(shown)} fields as above)"


def _layout(value: Any, width: int, margin: int) -> str:
    flat = json.dumps(value, ensure_ascii=False)
    if not value or not isinstance(value, dict | list) or margin + len(flat) <= width:
        return flat
    pad = " " * (margin + 2)
    if isinstance(value, list):
        parts, (start, end) = [_layout(item, width, margin + 2) for item in value], "[]"
    else:
        start, end = "{}"
        parts = [
            f"{json.dumps(name)}: {_layout(item, width - len(name) - 4, margin + 2)}"
            for name, item in value.items()
        ]
    inside = ",\n".join(pad + part for part in parts)
    return f"{start}\n{inside}\n{' ' * margin}{end}"


def _coloured(text: str) -> Text:
    coloured = Text(text)
    coloured.highlight_regex(r'"[^"]*"(?=:)', "blue")
    coloured.highlight_regex(r': ("[^"]*")', "green")
    return coloured

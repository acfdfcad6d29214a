"""Bursts of orders, sent from inside the server: a browser has six connections alone."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import Any

from eitherway import App


class Bursts:
    """Sends orders to an app's gateway at set times, whatever became of the ones before."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._numbers = itertools.count(1)
        self._sending: set[asyncio.Task[None]] = set()

    def send(self, path: str, count: int, seconds: float) -> None:
        """Begin to send `count` orders to `path`, evenly over `seconds`."""
        self._keep(asyncio.create_task(self._send(path, count, seconds)))

    async def _send(self, path: str, count: int, seconds: float) -> None:
        now = asyncio.get_running_loop().time
        start = now()
        for sent in range(count):
            await asyncio.sleep(start + sent * seconds / count - now())
            self._keep(asyncio.create_task(_post(self._app, path, next(self._numbers))))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)


async def _post(app: App, path: str, number: int) -> None:
    """One POST, through the whole gateway but without a socket; the app counts its answer."""
    order = {"order_id": f"burst-{number:05}", "amount": 19.9}
    body = [{"type": "http.request", "body": json.dumps(order).encode(), "more_body": False}]
    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": headers,
    }

    async def receive() -> dict[str, Any]:
        if not body:  # the caller stays, and says nothing more
            await asyncio.Event().wait()
        return body.pop()

    async def send(_: Any) -> None:
        """Have the answer: its status was counted on the way."""

    await app(scope, receive, send)

"""What a request takes of a gateway's own threads, sockets and client apart: `./dev bench loop`.

The server's protocol, the gateway and the engine run in this process; requests are handed to the
protocol, and answers end in a transport that goes nowhere. Of many short rounds the least is what
the code takes, as nothing disturbed it; the median is what this machine makes of it.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
import uvloop
from uvicorn.server import ServerState

import shop
from eitherway.server.bounds import Bounds
from eitherway.server.connection import Connection
from eitherway.server.crowd import Crowd
from eitherway.settings import Settings
from harness import Rows, folder, options_of, report_figures

CONNECTIONS = 64
BODY = (
    b'{"id":"ord-0000000000000001","customer":"customer-000042@example.org",'
    b'"sku":"SKU-123456-BLUE-XL","qty":3,"price":129.95,"currency":"EUR",'
    b'"note":"leave the parcel with the neighbour at no. 7","t":0.0}'
)
HEAD = (
    b"POST %s HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
)
ARMS = {
    "an ASGI application that does nothing": ("/orders", shop.noop),
    "a durable accept": ("/orders", shop.app),
    "a direct call": ("/orders/direct", shop.app),
}


class Nowhere:
    """A transport that counts the answers."""

    def __init__(self, answered: Callable[[], None]) -> None:
        self._answered = answered

    def write(self, _: bytes) -> None:
        """An answer."""
        self._answered()

    def get_extra_info(self, name: str, default: object = None) -> object:
        """Between whom."""
        return {"sockname": ("127.0.0.1", 8000), "peername": ("127.0.0.1", 9)}.get(name, default)

    def is_closing(self) -> bool:
        """Never."""
        return False

    def resume_reading(self) -> None:
        """Nothing is read."""


class Rounds:
    """A request on each of the connections at once, until all are answered."""

    def __init__(self, app: Any, path: str, crowd: Crowd) -> None:
        http = partial(Connection, crowd=crowd)
        config = uvicorn.Config(app, lifespan="off", http=http, log_config=None, access_log=False)
        config.load()
        state = ServerState()
        state.default_headers = [(b"date", b"Fri, 27 Nov 2026 00:00:00 GMT")]
        self._connections: list[Any] = []
        for _ in range(CONNECTIONS):
            connection = config.http_protocol_class(config, state, {})
            connection.connection_made(Nowhere(self._answered))
            self._connections.append(connection)
        self._request = HEAD % (path.encode(), len(BODY)) + BODY
        self._left = 0
        self._over = asyncio.Event()

    async def run(self) -> dict[str, float]:
        """One round: microseconds of the loop's thread, and of the others, for each request."""
        loop, whole = time.thread_time(), time.process_time()
        self._left = CONNECTIONS
        self._over.clear()
        for connection in self._connections:
            connection.data_received(self._request)
        await self._over.wait()
        loop, whole = time.thread_time() - loop, time.process_time() - whole
        scale = 1e6 / CONNECTIONS
        return {"loop_us": loop * scale, "others_us": max(0.0, whole - loop) * scale}

    def _answered(self) -> None:
        self._left -= 1
        if not self._left:
            self._over.set()


async def measure(made: Path, rounds: int) -> Rows:
    """Each arm in turn, many rounds of each."""
    settings = Settings(engine=f"sqlite:///{made}/bench.db")
    await shop.app.open(settings)
    crowd = Crowd(Bounds.of(settings))
    arms = {name: Rounds(app, path, crowd) for name, (path, app) in ARMS.items()}
    for arm in arms.values():
        await arm.run()
    gc.freeze()
    gc.set_threshold(2_000)  # as in the commands
    rows: Rows = {name: [] for name in arms}
    for _ in range(rounds):
        for name, arm in arms.items():
            rows[name] += [await arm.run() for _ in range(10)]
    await shop.app.close()
    return rows


def main() -> None:
    """Measure, and report."""
    chosen = options_of(__doc__, "loop", rounds=50).parse_args()
    with folder() as made, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        rows = runner.run(measure(made, chosen.rounds))
    threads = {"loop_us": "the loop's thread", "others_us": "other threads"}
    names = {f"{arm} {key}": f"{arm}: {title}" for arm in ARMS for key, title in threads.items()}
    runs = [
        {f"{arm} {key}": run[key] for arm, run in zip(rows, one, strict=True) for key in run}
        for one in zip(*rows.values(), strict=True)
    ]
    report_figures("microseconds for each request", names, runs, chosen.json)


if __name__ == "__main__":
    main()

"""From the POST to being told over a WebSocket, 50 orders a second: `./dev bench latency`."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import uvloop
from websockets.asyncio.client import ClientConnection, connect

from harness import (
    counted,
    floor,
    folder,
    free_port,
    options_of,
    process,
    report_figures,
    wait_for,
)
from posting import Posting
from push import ORDER

_NAMES = {
    "floor_p50_ms": "ms to the 202 of a raw ASGI no-op, half of them",
    "floor_p99_ms": "ms to the 202 of a raw ASGI no-op, 99 of 100",
    "accepted_p50_ms": "ms to the 202, half of them",
    "accepted_p99_ms": "ms to the 202, 99 of 100",
    "told_p50_ms": "ms to being told that it succeeded, half of them",
    "told_p99_ms": "ms to being told that it succeeded, 99 of 100",
}
_CONNECTIONS = 16

Answered = Callable[[bytes, float], Awaitable[None]]
"""Given the document of a 202, and when its order was posted."""


class Told:
    """When each job was told to have succeeded."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.at: dict[str, float] = {}

    async def read(self, wanted: int) -> None:
        """Until that many were."""
        while len(self.at) < wanted:
            event = json.loads(await self._socket.recv())
            if event["data"]["status"] == "succeeded":
                self.at.setdefault(event["subject"], time.perf_counter())


async def send(url: str, orders: int, per_second: float, answered: Answered) -> list[float]:
    """Open loop: an order is sent when its time has come, however long the others take.

    Seconds from each POST to its 202.
    """
    address = urlsplit(url)
    body = ORDER.model_dump_json().encode()
    posting = Posting(str(address.hostname), address.port or 80, "/orders", body)
    await posting.open(_CONNECTIONS)
    taken: list[float] = []

    async def order() -> None:
        at = time.perf_counter()
        document = await posting.post()
        taken.append(time.perf_counter() - at)
        await answered(document, at)

    begun, sending = time.perf_counter(), []
    for number in range(orders):
        await asyncio.sleep(max(0.0, begun + number / per_second - time.perf_counter()))
        sending.append(asyncio.create_task(order()))
    await asyncio.gather(*sending)
    posting.close()
    return taken


async def run(url: str, orders: int, per_second: float) -> dict[str, float]:
    """Orders that are followed on one socket, each from its 202 on."""
    sent: dict[str, float] = {}
    address = url.replace("http", "ws") + "/events?jobs="
    async with connect(address, subprotocols=["cloudevents.json"]) as socket:
        told = Told(socket)
        reading = asyncio.create_task(told.read(orders))

        async def follow(document: bytes, at: float) -> None:
            job = json.loads(document)["id"]
            sent[job] = at
            await socket.send(json.dumps({"subscribe": [job]}))

        accepted = await send(url, orders, per_second, follow)
        await asyncio.wait_for(reading, 60)
    until_told = [told.at[job] - at for job, at in sent.items()]
    return {**percentiles("accepted", accepted), **percentiles("told", until_told)}


async def run_floor(url: str, orders: int, per_second: float) -> dict[str, float]:
    """The same orders to an application that does nothing."""

    async def done(_document: bytes, _at: float) -> None: ...

    return percentiles("floor", await send(url, orders, per_second, done))


def percentiles(name: str, seconds: list[float]) -> dict[str, float]:
    """Half of them, and 99 of 100, in milliseconds."""
    parts = {"p50": 0.50, "p99": 0.99}
    return {f"{name}_{word}_ms": percentile(seconds, part) * 1e3 for word, part in parts.items()}


def percentile(values: list[float], part: float) -> float:
    """The least value that so many are not above."""
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


def served(made: Path, orders: int, per_second: float) -> dict[str, float]:
    """One run against a gateway and a worker of its own, and one against the no-op."""
    port = free_port()
    engine = f"sqlite:///{made / f'latency-{port}.db'}"
    arguments = ["-m", "eitherway", "run", "shop:app", "--port", str(port), "--engine", engine]
    with process(arguments, made / "run.log"):
        url = f"http://127.0.0.1:{port}"
        wait_for(f"{url}/livez")
        uvloop.run(run(url, 25, per_second))  # warm
        figures = uvloop.run(run(url, orders, per_second))
    with floor(made) as (url, _):
        uvloop.run(run_floor(url, 25, per_second))
        return {**uvloop.run(run_floor(url, orders, per_second)), **figures}


def main() -> None:
    """Several rounds, each with fresh processes."""
    options = options_of(__doc__, "latency")
    options.add_argument("--orders", type=int, default=500)
    options.add_argument("--per-second", type=float, default=50)
    chosen = options.parse_args()
    with folder() as made:
        runs = [served(made, chosen.orders, chosen.per_second) for _ in counted(chosen.rounds)]
    title = f"{chosen.orders} orders, {chosen.per_second:g} a second"
    report_figures(title, _NAMES, runs, chosen.json)


if __name__ == "__main__":
    main()

"""From the POST to being told over a WebSocket, 50 orders a second: `./dev bench latency`."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import httpx
from websockets.asyncio.client import ClientConnection, connect

from harness import folder, free_port, options_of, process, report_figures, wait_for
from push import ORDER

_NAMES = {
    "accepted_p50_ms": "ms to the 202, half of them",
    "accepted_p99_ms": "ms to the 202, 99 of 100",
    "told_p50_ms": "ms to being told that it succeeded, half of them",
    "told_p99_ms": "ms to being told that it succeeded, 99 of 100",
}


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


async def run(url: str, orders: int, per_second: float) -> dict[str, float]:
    """Open loop: an order is sent when its time has come, however long the others take."""
    sent: dict[str, float] = {}
    accepted: list[float] = []
    address = url.replace("http", "ws") + "/events?jobs="
    async with (
        httpx.AsyncClient(base_url=url) as client,
        connect(address, subprotocols=["cloudevents.json"]) as socket,
    ):
        told = Told(socket)
        reading = asyncio.create_task(told.read(orders))

        async def order() -> None:
            at = time.perf_counter()
            answer = await client.post("/orders", json=ORDER.model_dump())
            job = answer.json()["id"]
            accepted.append(time.perf_counter() - at)
            sent[job] = at
            await socket.send(json.dumps({"subscribe": [job]}))

        begun, sending = time.perf_counter(), []
        for number in range(orders):
            await asyncio.sleep(max(0.0, begun + number / per_second - time.perf_counter()))
            sending.append(asyncio.create_task(order()))
        await asyncio.gather(*sending)
        await asyncio.wait_for(reading, 60)
    until_told = [told.at[job] - at for job, at in sent.items()]
    return {
        "accepted_p50_ms": percentile(accepted, 0.50) * 1e3,
        "accepted_p99_ms": percentile(accepted, 0.99) * 1e3,
        "told_p50_ms": percentile(until_told, 0.50) * 1e3,
        "told_p99_ms": percentile(until_told, 0.99) * 1e3,
    }


def percentile(values: list[float], part: float) -> float:
    """The least value that so many are not above."""
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


def served(made: Path, orders: int, per_second: float) -> dict[str, float]:
    """One run against a gateway and a worker of its own."""
    port = free_port()
    engine = f"sqlite:///{made / f'latency-{port}.db'}"
    arguments = ["-m", "eitherway", "run", "shop:app", "--port", str(port), "--engine", engine]
    with process(arguments, made / "run.log"):
        url = f"http://127.0.0.1:{port}"
        wait_for(f"{url}/livez")
        asyncio.run(run(url, 25, per_second))  # warm
        return asyncio.run(run(url, orders, per_second))


def main() -> None:
    """Several rounds, each with fresh processes."""
    options = options_of(__doc__, "latency")
    options.add_argument("--orders", type=int, default=500)
    options.add_argument("--per-second", type=float, default=50)
    chosen = options.parse_args()
    with folder() as made:
        runs = [served(made, chosen.orders, chosen.per_second) for _ in range(chosen.rounds)]
    title = f"{chosen.orders} orders, {chosen.per_second:g} a second"
    report_figures(title, _NAMES, runs, chosen.json)


if __name__ == "__main__":
    main()

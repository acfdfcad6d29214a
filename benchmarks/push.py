"""Thousands of idle WebSockets, then one event told to all of them: `./dev bench push`."""

from __future__ import annotations

import asyncio
import resource
import time
from pathlib import Path
from typing import cast

from eitherway.engine.values import Demand
from eitherway.settings import Settings
from harness import cpu_seconds, folder, free_port, options_of, process, report_figures, wait_for
from shop import Order, app, place_order

_HANDSHAKE = (
    "GET /events?jobs={job} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
    "Upgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Protocol: cloudevents.json\r\n\r\n"
)
_PING, _PONG = 0x89, 0x8A  # RFC 6455, whole
_TOGETHER = 100
_NAMES = {
    "kib_each": "KiB of the gateway for an idle one",
    "first_ms": "ms from the commit of an event to the first that is told",
    "last_ms": "ms to the last",
    "cpu_us": "CPU µs of the gateway for each",
}
ORDER = Order(id="", customer="c", sku="s", qty=3, price=1.5, currency="EUR", note="n" * 80)


class Reader(asyncio.Protocol):
    """One socket; says when it has been told how its job is, and when it is told again."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.begun: asyncio.Future[None] = loop.create_future()
        self.told: asyncio.Future[float] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if data[0] == _PING:
            data = self._answer(data)
        if not data.endswith(b"}}"):  # an event
            return
        if not self.begun.done():
            self.begun.set_result(None)
        elif not self.told.done():
            self.told.set_result(time.perf_counter())

    def _answer(self, data: bytes) -> bytes:
        """Pong, or the gateway would let go of it; what came after the ping."""
        length = data[1]
        masked = bytes([_PONG, 0x80 | length]) + bytes(4)  # by a mask of zeros
        self._transport.write(masked + data[2 : 2 + length])
        return data[2 + length :]


async def connect(port: int, job: str) -> Reader:
    """A socket that has been told how its job is."""
    loop = asyncio.get_running_loop()
    transport, reader = await loop.create_connection(Reader, "127.0.0.1", port)
    transport.write(_HANDSHAKE.format(port=port, job=job).encode())
    await asyncio.wait_for(reader.begun, 30)
    return reader


def kibibytes(pid: int) -> int:
    """The process's own share of memory."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise SystemExit("no Pss in smaps_rollup")


async def run(made: Path, sockets: int) -> dict[str, float]:
    """Connect, measure the memory, then start the job: one event, and when each socket has it."""
    port, engine = free_port(), f"sqlite:///{made / f'push-{time.monotonic_ns()}.db'}"
    gateway = ["-m", "eitherway", "gateway", "shop:app", "--port", str(port), "--engine", engine]
    room = {"EITHERWAY_CONNECTIONS_MAX": str(sockets + 1)}
    with process(gateway, made / "gateway.log", environment=room) as served:
        wait_for(f"http://127.0.0.1:{port}/livez")
        runtime = await app.open(Settings(engine=engine))
        one, other = [(await app.enqueue(place_order, ORDER)).id for _ in range(2)]
        await connect(port, other)  # what the first connection costs is not the others'
        before = kibibytes(served.pid)
        readers: list[Reader] = []
        while len(readers) < sockets:
            some = min(_TOGETHER, sockets - len(readers))
            readers += await asyncio.gather(*(connect(port, one) for _ in range(some)))
        each = (kibibytes(served.pid) - before) / sockets
        used = cpu_seconds(served.pid)
        demand = Demand(operation="place_order", version_max=1, count=1, lease_seconds=60)
        (delivery,) = await runtime.engine.receive([demand])
        committed = time.perf_counter()
        if delivery.job.id != one:
            raise SystemExit("the other job was received first")
        at = await asyncio.gather(*(reader.told for reader in readers))
        used = cpu_seconds(served.pid) - used
        await app.close()
    first, last = (min(at) - committed) * 1e3, (max(at) - committed) * 1e3
    return {"kib_each": each, "first_ms": first, "last_ms": last, "cpu_us": used / sockets * 1e6}


def main() -> None:
    """Several rounds, each with a fresh gateway."""
    options = options_of(__doc__, "push", rounds=3)
    options.add_argument("--sockets", type=int, default=10_000)
    chosen = options.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # children inherit it
    with folder() as made:
        runs = [asyncio.run(run(made, chosen.sockets)) for _ in range(chosen.rounds)]
    report_figures(f"{chosen.sockets:,} WebSockets", _NAMES, runs, chosen.json)


if __name__ == "__main__":
    main()

"""Jobs drained per second by one worker, beside the peers': `./dev bench drain`."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import beside
from eitherway import App
from eitherway.settings import Settings
from harness import (
    FLOOR,
    Rows,
    counted,
    cpu_seconds,
    floor,
    folder,
    load,
    options_of,
    process,
    report,
)
from shop import Order, app, place_order, store_order

Prepare = Callable[[App], Awaitable[object]]
"""Does something to the opened app before its jobs are stored."""


async def _nothing(_: App) -> None: ...


async def fill(
    app: App, url: str, handler: object, count: int, prepare: Prepare = _nothing
) -> None:
    """Store `count` jobs."""
    await app.open(Settings(engine=url))
    await prepare(app)
    order = Order(id="", customer="c", sku="s", qty=3, price=1.5, currency="EUR", note="n" * 80)
    for start in range(0, count, 500):
        chunk = [order.model_copy(update={"id": str(start + n)}) for n in range(500)]
        await asyncio.gather(*(app.enqueue(handler, one) for one in chunk))  # type: ignore[arg-type]
    await app.close()


def drain(
    made: Path,
    handler: object,
    count: int,
    *,
    app: App = app,
    target: str = "shop:app",
    prepare: Prepare = _nothing,
    workers: int = 1,
) -> dict[str, float]:
    """Fill a fresh database, run workers on it, and read the rate from the records."""
    path = made / f"drain-{time.monotonic_ns()}.db"
    asyncio.run(fill(app, f"sqlite:///{path}", handler, count, prepare))
    run = drain_some(path, made, count, app=app, target=target, workers=workers)
    with closing(sqlite3.connect(path)) as db:
        states = dict(db.execute("SELECT state, count(*) FROM job GROUP BY state"))
    if states != {"succeeded": count}:
        raise SystemExit(f"not all jobs succeeded: {states}")
    return run


def drain_some(
    path: Path,
    made: Path,
    count: int,
    *,
    app: App = app,
    target: str = "shop:app",
    workers: int = 1,
) -> dict[str, float]:
    """Run workers on a database until they have ended so many jobs; the rate, from the records."""
    engine = f"sqlite:///{path}"
    arguments = ["-m", "eitherway", "worker", target, "--engine", engine]
    begun = time.time()
    with contextlib.ExitStack() as stack:
        started = [
            stack.enter_context(process(arguments, made / "worker.log")) for _ in range(workers)
        ]
        asyncio.run(_until_ended(app, engine, count))
        used = sum(cpu_seconds(worker.pid) for worker in started)
    with closing(sqlite3.connect(path)) as db:
        done, first, last = db.execute(
            "SELECT count(*), min(started), max(finished) FROM job WHERE finished > ?", (begun,)
        ).fetchone()
    return {"per_second": done / (last - first), "cpu_us": used / done * 1e6}


async def _until_ended(app: App, engine: str, count: int) -> None:
    runtime = await app.open(Settings(engine=engine), serving=False)
    names = [operation.name for operation in runtime.operations]

    async def ended() -> int:
        return sum(flow.ended for flow in await runtime.engine.flow(names))

    before = await ended()
    while await ended() < before + count:
        await asyncio.sleep(0.1)
    await app.close()


def drain_peer(made: Path, name: str, count: int) -> dict[str, float]:
    """Fill a peer's fresh store, run one worker process on it; the rate is that of its jobs."""
    with beside.running(name, made) as peer:
        peer.run("fill", str(count))
        with peer.worker() as worker:
            while len(lines := peer.done_lines()) < count:
                time.sleep(0.2)
            used = cpu_seconds(worker.pid)
    at = sorted(float(line.split()[1]) for line in lines)
    return {"per_second": (count - 1) / (at[-1] - at[0]), "cpu_us": used / count * 1e6}


def main() -> None:
    """The floor over HTTP, then a backlog of each kind, in turn."""
    options = options_of(__doc__, "drain")
    options.add_argument("--jobs", type=int, default=10_000)
    beside.add_option(options, "pgqueuer,celery-rabbitmq")
    chosen = options.parse_args()
    peers = beside.chosen(chosen.peers)
    no_op, one_row = "no-op jobs, fenced durable settle", "jobs that write one row"
    rows: Rows = {name: [] for name in (FLOOR, no_op, one_row)}
    rows |= {beside.PEERS[name].title: [] for name in peers}
    with folder() as made, floor(made) as (url, noop):
        for _ in counted(chosen.rounds):
            rows[FLOOR].append(load(f"{url}/orders", noop.pid, 3))
            rows[no_op].append(drain(made, place_order, chosen.jobs))
            rows[one_row].append(drain(made, store_order, chosen.jobs))
            for name in peers:
                rows[beside.PEERS[name].title].append(drain_peer(made, name, chosen.jobs))
    title = f"{chosen.jobs:,} jobs drained by one worker process"
    floors = [FLOOR, *(beside.PEERS[name].title for name in peers)]
    report(title, rows, floors, chosen.json)


if __name__ == "__main__":
    main()

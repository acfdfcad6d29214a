"""Jobs drained per second by one worker beside a raw ASGI no-op: `./dev bench drain`."""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

from eitherway import App
from eitherway.settings import Settings
from harness import console, cpu_seconds, folder, free_port, load, process, report, wait_for
from shop import Order, app, place_order, store_order

FLOOR = "raw ASGI no-op"


Prepare = Callable[[App], Awaitable[object]]
"""Does something to the opened app before its jobs are stored."""


async def _nothing(_: App) -> None: ...


async def fill(app: App, url: str, handler: object, count: int, prepare: Prepare) -> None:
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
) -> dict[str, float]:
    """Fill a fresh database, run one worker on it, and read the rate from the records."""
    path = made / f"drain-{time.monotonic_ns()}.db"
    asyncio.run(fill(app, f"sqlite:///{path}", handler, count, prepare))
    arguments = ["-m", "eitherway", "worker", target, "--engine", f"sqlite:///{path}"]
    with process(arguments, made / "worker.log") as worker, closing(sqlite3.connect(path)) as db:
        while (done := _ended(db)) < count:
            time.sleep(0.1)
        used = cpu_seconds(worker.pid)
    with closing(sqlite3.connect(path)) as db:
        first, last = db.execute("SELECT min(started), max(finished) FROM job").fetchone()
        states = dict(db.execute("SELECT state, count(*) FROM job GROUP BY state"))
    if states != {"succeeded": count}:
        raise SystemExit(f"not all jobs succeeded: {states}")
    return {"per_second": done / (last - first), "cpu_us": used / count * 1e6}


def _ended(db: sqlite3.Connection) -> int:
    count: int = db.execute("SELECT count(*) FROM job WHERE finished IS NOT NULL").fetchone()[0]
    return count


def main() -> None:
    """The floor over HTTP, then a backlog of no-op jobs and one of one-row jobs, in turn."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--jobs", type=int, default=10_000)
    options.add_argument("--json", type=Path, default=Path("bench-drain.json"))
    chosen = options.parse_args()
    no_op, one_row = "no-op jobs, fenced durable settle", "jobs that write one row"
    rows: dict[str, list[dict[str, float]]] = {FLOOR: [], no_op: [], one_row: []}
    with folder() as made:
        port = free_port()
        uvicorn = ["-m", "uvicorn", "shop:noop", "--port", str(port), "--no-access-log"]
        uvicorn += ["--loop", "uvloop", "--http", "httptools", "--log-level", "warning"]
        with process(uvicorn, made / "noop.log") as floor:
            url = f"http://127.0.0.1:{port}/orders"
            wait_for(url)
            for number in range(chosen.rounds):
                console.print(f"round {number + 1} of {chosen.rounds}")
                rows[FLOOR].append(load(url, floor.pid, 3))
                rows[no_op].append(drain(made, place_order, chosen.jobs))
                rows[one_row].append(drain(made, store_order, chosen.jobs))
    title = f"{chosen.jobs:,} jobs drained by one worker process"
    report(title, rows, FLOOR, chosen.json)


if __name__ == "__main__":
    main()

"""Accepting and draining with 0, 100 thousand and a million jobs waiting: `./dev bench backlog`."""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from drain import drain_some, fill
from harness import Rows, console, counted, folder, gateway, load, options_of, report
from shop import app, place_order


def accept(path: Path, made: Path, seconds: int) -> dict[str, float]:
    """Accepts per second on top of what waits."""
    with gateway(made, f"sqlite:///{path}") as (url, started):
        load(f"{url}/orders", started.pid, 1)  # warm
        return load(f"{url}/orders", started.pid, seconds)


def waiting(path: Path) -> int:
    """How many jobs wait."""
    with closing(sqlite3.connect(path)) as db:
        count: int = db.execute("SELECT count(*) FROM job WHERE finished IS NULL").fetchone()[0]
        return count


def main() -> None:
    """Each depth has a store of its own, made once; every round adds to it and takes from it."""
    options = options_of(__doc__, "backlog")
    options.add_argument("--seconds", type=int, default=4)
    options.add_argument("--jobs", type=int, default=5_000, help="drained in each round")
    options.add_argument("--depths", type=depths, default=depths("0,100000,1000000"))
    chosen = options.parse_args()
    accepted: Rows = {name_of(depth): [] for depth in chosen.depths}
    drained: Rows = {name_of(depth): [] for depth in chosen.depths}
    with folder() as made:
        stores = {depth: made / f"backlog-{depth}.db" for depth in chosen.depths}
        for depth, path in stores.items():
            console.print(f"storing {depth:,} jobs")
            asyncio.run(fill(app, f"sqlite:///{path}", place_order, depth))
        for _ in counted(chosen.rounds):
            for depth, path in stores.items():
                accepted[name_of(depth)].append(accept(path, made, chosen.seconds))
                run = drain_some(path, made, max(chosen.jobs, waiting(path) - depth))
                drained[name_of(depth)].append(run)
    floor = name_of(chosen.depths[0])
    report("accepts, by how many jobs wait", accepted, [floor], chosen.json)
    path = chosen.json.with_stem(f"{chosen.json.stem}-drain")
    report("jobs drained by one worker, by how many wait", drained, [floor], path)


def name_of(depth: int) -> str:
    """As the table says it."""
    return f"{depth:,} waiting"


def depths(text: str) -> list[int]:
    """`0,1000` as numbers."""
    try:
        return [int(depth) for depth in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError("give numbers, as in 0,100000") from None


if __name__ == "__main__":
    main()

"""Rows per second in batches of 100 beside one by one: `./dev bench batch`."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

from rich.table import Table

import batch_app
from drain import drain
from harness import console, counted, folder, machine, options_of, spread

SCENARIOS = {
    "a row in app.table": (batch_app.table_single, batch_app.table_batch),
    "a call that takes 2 ms": (batch_app.call_single, batch_app.call_batch),
    "the same over 4 connections": (batch_app.pool_single, batch_app.pool_batch),
}

Rounds = dict[str, list[tuple[dict[str, float], dict[str, float]]]]


def report(title: str, rounds: Rounds, path: Path) -> None:
    """Print medians (least - greatest) and the median ratio, and write every run."""
    table = Table("each row is", "one by one", "in batches", "ratio", "CPU µs", title=title)
    for name, runs in rounds.items():
        cells = [name]
        for side in (0, 1):
            least, median, most = spread([run[side]["per_second"] for run in runs])
            cells.append(f"{median:,.0f} ({least:,.0f} - {most:,.0f})")
        ratios = [batch["per_second"] / single["per_second"] for single, batch in runs]
        cells.append(f"{statistics.median(ratios):.2f} ({min(ratios):.2f} - {max(ratios):.2f})")
        cpu = [statistics.median(run[side]["cpu_us"] for run in runs) for side in (0, 1)]
        cells.append(f"{cpu[0]:.0f} / {cpu[1]:.0f}")
        table.add_row(*cells)
    console.print(table)
    count = len(next(iter(rounds.values())))
    console.print(f"rows/s, medians of {count} interleaved rounds; {machine()}")
    path.write_text(json.dumps({"title": title, "machine": machine(), "runs": rounds}, indent=2))
    console.print(f"every run: {path}")


def main() -> None:
    """A backlog of jobs, drained by one worker process, one by one and in batches, in turn."""
    options = options_of(__doc__, "batch")
    options.add_argument("--jobs", type=int, default=10_000)
    chosen = options.parse_args()
    rounds: Rounds = {name: [] for name in SCENARIOS}
    with folder() as made:
        for _ in counted(chosen.rounds):
            for name, (single, batch) in SCENARIOS.items():
                runs = [
                    drain(made, handler, chosen.jobs, app=batch_app.app, target="batch_app:app")
                    for handler in (single, batch)
                ]
                rounds[name].append((runs[0], runs[1]))
    title = f"{chosen.jobs:,} jobs drained by one worker, 400 in flight, batches of 100"
    report(title, rounds, chosen.json)


if __name__ == "__main__":
    main()

"""Several gateways on one file, and several workers: `./dev bench scale`."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from drain import drain
from harness import Rows, counted, folder, gateway, load, options_of, report
from shop import place_order

Served = Sequence[tuple[str, "subprocess.Popen[bytes]"]]
"""Gateways: where each is, and its process."""


def load_all(served: Served, seconds: int, connections: int) -> dict[str, float]:
    """All of them loaded at once, so many connections over all."""

    def one(of: tuple[str, subprocess.Popen[bytes]]) -> dict[str, float]:
        url, started = of
        return load(f"{url}/orders", started.pid, seconds, connections // len(served))

    with ThreadPoolExecutor(len(served)) as pool:
        runs = list(pool.map(one, served))
    per_second = sum(run["per_second"] for run in runs)
    return {
        "per_second": per_second,
        "p50_ms": max(run["p50_ms"] for run in runs),
        "p99_ms": max(run["p99_ms"] for run in runs),
        "errors": sum(run["errors"] for run in runs),
        "cpu_us": sum(run["cpu_us"] * run["per_second"] for run in runs) / max(1.0, per_second),
    }


def accept(made: Path, gateways: int, seconds: int, connections: int) -> dict[str, float]:
    """So many gateways on one file, after a second that warms them."""
    engine = f"sqlite:///{made}/scale-{gateways}.db"
    with contextlib.ExitStack() as stack:
        served = [stack.enter_context(gateway(made, engine)) for _ in range(gateways)]
        load_all(served, 1, connections)
        return load_all(served, seconds, connections)


def main() -> None:
    """Accepts with 1, 2 and 4 gateways; drained with as many workers."""
    options = options_of(__doc__, "scale")
    options.add_argument("--seconds", type=int, default=4)
    options.add_argument("--jobs", type=int, default=10_000)
    options.add_argument("--connections", type=int, default=64)
    chosen = options.parse_args()
    numbers = (1, 2, 4)
    accepted: Rows = {f"{number} gateways": [] for number in numbers}
    drained: Rows = {f"{number} workers": [] for number in numbers}
    with folder() as made:
        for _ in counted(chosen.rounds):
            for number in numbers:
                run = accept(made, number, chosen.seconds, chosen.connections)
                accepted[f"{number} gateways"].append(run)
                run = drain(made, place_order, chosen.jobs, workers=number)
                drained[f"{number} workers"].append(run)
    title = f"accepts on one file, {chosen.connections} connections"
    report(title, accepted, ["1 gateways"], chosen.json)
    path = chosen.json.with_stem(f"{chosen.json.stem}-drain")
    report("jobs drained out of one file", drained, ["1 workers"], path)


if __name__ == "__main__":
    main()

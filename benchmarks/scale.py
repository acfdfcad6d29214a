"""Several gateways on one file, and several workers: `./dev bench scale`."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

from drain import drain
from harness import Rows, counted, folder, gateway, load, options_of, report
from shop import place_order


def accept(made: Path, gateways: int, seconds: int) -> dict[str, float]:
    """All of them loaded at once, 64 connections over all."""
    engine = f"sqlite:///{made}/scale-{gateways}.db"
    with contextlib.ExitStack() as stack:
        served = [stack.enter_context(gateway(made, engine)) for _ in range(gateways)]
        runs: list[dict[str, float]] = []
        connections = 64 // gateways

        def one(url: str, pid: int) -> None:
            runs.append(load(f"{url}/orders", pid, seconds, connections))

        for warm in (True, False):
            runs.clear()
            threads = [
                threading.Thread(target=one, args=(url, started.pid)) for url, started in served
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            if warm:
                continue
    return {
        "per_second": sum(run["per_second"] for run in runs),
        "p50_ms": max(run["p50_ms"] for run in runs),
        "p99_ms": max(run["p99_ms"] for run in runs),
        "errors": sum(run["errors"] for run in runs),
        "cpu_us": sum(run["cpu_us"] * run["per_second"] for run in runs)
        / max(1.0, sum(run["per_second"] for run in runs)),
    }


def main() -> None:
    """Accepts with 1, 2 and 4 gateways; drained with as many workers."""
    options = options_of(__doc__, "scale")
    options.add_argument("--seconds", type=int, default=4)
    options.add_argument("--jobs", type=int, default=10_000)
    chosen = options.parse_args()
    numbers = (1, 2, 4)
    accepted: Rows = {f"{number} gateways": [] for number in numbers}
    drained: Rows = {f"{number} workers": [] for number in numbers}
    with folder() as made:
        for _ in counted(chosen.rounds):
            for number in numbers:
                run = accept(made, number, chosen.seconds)
                accepted[f"{number} gateways"].append(run)
                run = drain(made, place_order, chosen.jobs, workers=number)
                drained[f"{number} workers"].append(run)
    report("accepts on one file, 64 connections", accepted, ["1 gateways"], chosen.json)
    path = chosen.json.with_stem(f"{chosen.json.stem}-drain")
    report("jobs drained out of one file", drained, ["1 workers"], path)


if __name__ == "__main__":
    main()

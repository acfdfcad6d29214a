"""Durable accepts per second beside a raw ASGI no-op of the same server: `./dev bench accept`."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path

from harness import console, folder, free_port, load, process, report, wait_for

FLOOR = "raw ASGI no-op"


def main() -> None:
    """Serve the floor, the queued and the direct route; load them in turn."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=int, default=4)
    options.add_argument("--json", type=Path, default=Path("bench-accept.json"))
    chosen = options.parse_args()
    rows: dict[str, list[dict[str, float]]] = {}
    with folder() as made, contextlib.ExitStack() as stack:
        noop, ours = free_port(), free_port()
        uvicorn = ["-m", "uvicorn", "shop:noop", "--port", str(noop), "--no-access-log"]
        uvicorn += ["--loop", "uvloop", "--http", "httptools", "--log-level", "warning"]
        floor = stack.enter_context(process(uvicorn, made / "noop.log"))
        gateway = ["-m", "eitherway", "gateway", "shop:app", "--port", str(ours)]
        gateway += ["--engine", f"sqlite:///{made}/bench.db"]
        served = stack.enter_context(process(gateway, made / "gateway.log"))
        wait_for(f"http://127.0.0.1:{noop}/")
        wait_for(f"http://127.0.0.1:{ours}/livez")
        arms = {
            FLOOR: (f"http://127.0.0.1:{noop}/orders", floor.pid),
            "eitherway queued: 202 after fsync": (f"http://127.0.0.1:{ours}/orders", served.pid),
            "eitherway direct: typed, 200": (f"http://127.0.0.1:{ours}/orders/direct", served.pid),
        }
        for name, (url, pid) in arms.items():
            load(url, pid, 1)  # warm
            rows[name] = []
        for number in range(chosen.rounds):
            console.print(f"round {number + 1} of {chosen.rounds}")
            for name, (url, pid) in arms.items():
                rows[name].append(load(url, pid, chosen.seconds))
    if any(run["errors"] for runs in rows.values() for run in runs):
        console.print("[red]some answers were errors: the figures do not count[/red]")
    report("accepts, 64 connections, 200-byte JSON, one gateway process", rows, FLOOR, chosen.json)


if __name__ == "__main__":
    main()

"""What `eitherway run` costs while nothing happens, and how soon it answers: `./dev bench idle`."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from pathlib import Path

from harness import cpu_seconds, family, folder, free_port, options_of, process, report_figures
from push import ORDER, kibibytes

_NAMES = {
    "first_202_seconds": "s from the start to the first 202",
    "mebibytes": "MiB of memory, all processes (PSS)",
    "cpu_percent": "% of a core",
}


def first_accepted(url: str) -> float:
    """Ask until an order is accepted: when it was."""
    body = json.dumps(ORDER.model_dump()).encode()
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    while True:
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                if answer.status == 202:
                    return time.perf_counter()
        except (urllib.error.URLError, OSError):
            time.sleep(0.005)


def run(made: Path, seconds: float) -> dict[str, float]:
    """One start, from an empty store."""
    port = free_port()
    engine = f"sqlite:///{made / f'idle-{port}.db'}"
    arguments = ["-m", "eitherway", "run", "shop:app", "--port", str(port), "--engine", engine]
    begun = time.perf_counter()
    with process(arguments, made / "run.log") as started:
        answered = first_accepted(f"http://127.0.0.1:{port}/orders")
        time.sleep(5)  # what the start set going has ended
        processes = family(started.pid)
        used = sum(map(cpu_seconds, processes))
        time.sleep(seconds)
        return {
            "first_202_seconds": answered - begun,
            "mebibytes": sum(map(kibibytes, processes)) / 1024,
            "cpu_percent": (sum(map(cpu_seconds, processes)) - used) / seconds * 100,
        }


def main() -> None:
    """Several starts."""
    options = options_of(__doc__, "idle")
    options.add_argument("--seconds", type=float, default=10)
    chosen = options.parse_args()
    with folder() as made:
        runs = [run(made, chosen.seconds) for _ in range(chosen.rounds)]
    report_figures("eitherway run, idle", _NAMES, runs, chosen.json)


if __name__ == "__main__":
    main()

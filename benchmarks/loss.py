"""What a kill -9 takes of accepted work, of the worker and of the queue: `./dev bench loss`."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from rich.table import Table

import beside
from harness import (
    Rows,
    console,
    counted,
    drawing,
    folder,
    gateway,
    kill,
    machine,
    options_of,
    process,
)
from plots import plot_rates
from services import Store

_ORDER = {"customer": "c", "sku": "s", "qty": 3, "price": 1.5, "currency": "EUR"}
_ACCEPTED = 300


class Ours:
    """A gateway and a worker of eitherway on one file."""

    def __init__(self, made: Path) -> None:
        self._made = made
        self.done = made / "done"

    @contextlib.contextmanager
    def web(self) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
        with gateway(self._made, self._engine, target="loss_app:app") as served:
            yield served

    @contextlib.contextmanager
    def worker(self) -> Iterator[subprocess.Popen[bytes]]:
        arguments = ["-m", "eitherway", "worker", "loss_app:app", "--engine", self._engine]
        environment = {"DONE": str(self.done)}
        with process(arguments, self._made / "worker.log", environment=environment) as started:
            yield started

    def done_lines(self) -> list[str]:
        return self.done.read_text().splitlines() if self.done.exists() else []

    @property
    def _engine(self) -> str:
        return f"sqlite:///{self._made}/loss.db"


Arm = Ours | beside.Running
"""What takes orders and runs them."""


def post(url: str, number: int, note: str = "") -> None:
    """One order; it is accepted when this returns."""
    body = json.dumps({**_ORDER, "id": str(number), "note": note}).encode()
    request = urllib.request.Request(f"{url}/orders", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 202


def worker_killed(arm: Arm, seconds: float) -> dict[str, float]:
    """A job of 4 s runs, 20 wait behind it; the worker is killed and started again at once."""
    with arm.web() as (url, _):
        with arm.worker() as worker:
            post(url, 0)
            until(lambda: len(arm.done_lines()) == 1, 60)
            for number in range(1, 22):
                post(url, number, "wait:4" if number == 1 else "")
            time.sleep(1)
            kill(worker.pid)
        with arm.worker():
            begun = time.monotonic()
            until(lambda: len(ran(arm)) == 22, seconds)
            return {"ran": len(ran(arm)) - 1, "of": 21, "seconds": time.monotonic() - begun}


def queue_killed(arm: Arm, seconds: float) -> dict[str, float]:
    """300 jobs are accepted, then the queue's process is killed and started again.

    Where the queue is a file, that is the process that accepts.
    """
    server = None if isinstance(arm, Ours) or isinstance(arm.store, Store) else arm.store
    with arm.web() as (url, web):
        for number in range(_ACCEPTED):
            post(url, number)
        if server is None:
            kill(web.pid)
    if server is not None:
        server.kill_and_start()
    with arm.worker():
        begun = time.monotonic()
        until(lambda: len(ran(arm)) == _ACCEPTED, seconds)
        return {"ran": len(ran(arm)), "of": _ACCEPTED, "seconds": time.monotonic() - begun}


def until(true: Callable[[], bool], seconds: float) -> None:
    """Return when it is, or when the time is over."""
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.05)


def ran(arm: Arm) -> set[str]:
    """The ids of the jobs that ran to their end."""
    return {line.split()[0] for line in arm.done_lines()}


_TRIALS: Mapping[str, Callable[[Arm, float], dict[str, float]]] = {
    "worker killed": worker_killed,
    "queue killed": queue_killed,
}


def main() -> None:
    """One run each: what is lost is lost the first time."""
    options = options_of(__doc__, "loss", rounds=1)
    options.add_argument("--seconds", type=float, default=75, help="until a job counts as stuck")
    beside.add_option(options, "all")
    chosen = options.parse_args()
    peers = beside.chosen(chosen.peers)
    rows: Rows = {}
    with folder() as made:
        for _ in counted(chosen.rounds):
            for trial, run in _TRIALS.items():
                ours = made / f"ours-{time.monotonic_ns()}"
                ours.mkdir()
                rows.setdefault(f"{trial}: eitherway", []).append(run(Ours(ours), chosen.seconds))
                for name in peers:
                    with beside.running(name, made) as peer:
                        row = rows.setdefault(f"{trial}: {peer.peer.title}", [])
                        row.append(run(peer, chosen.seconds))
    show(rows, chosen.json)


def show(rows: Rows, path: Path) -> None:
    """A table with every run, the JSON, and a plot of how much ran."""
    table = Table("killed with SIGKILL", "ran within the time", "s until the last")
    for name, runs in rows.items():
        for one in runs:
            table.add_row(name, f"{one['ran']:.0f} of {one['of']:.0f}", f"{one['seconds']:.1f}")
    console.print(table)
    console.print(machine())
    path.write_text(json.dumps({"machine": machine(), "runs": rows}, indent=2))
    parts = {name: [100 * one["ran"] / one["of"] for one in runs] for name, runs in rows.items()}
    label = f"% of the accepted jobs that ran within the time. {machine()}"
    plot_rates("what was accepted before a SIGKILL", parts, label, drawing(path))


if __name__ == "__main__":
    main()

"""What the benchmarks share: servers as processes, wrk as the client, medians with their range."""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from plots import plot_figures, plot_rates

HERE = Path(__file__).parent
FLOOR = "raw ASGI no-op"
console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
_TICK = os.sysconf("SC_CLK_TCK")


@contextmanager
def folder() -> Iterator[Path]:
    """A fresh folder on the disk of this checkout, removed afterwards."""
    made = Path(tempfile.mkdtemp(prefix=".bench-", dir=HERE.parent))
    try:
        yield made
    finally:
        shutil.rmtree(made)


@contextmanager
def process(
    arguments: Sequence[str],
    log: Path,
    *,
    program: str = sys.executable,
    environment: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """A process, Python's where no other program is named, that ends with the block."""
    given = {**os.environ, "PYTHONPATH": str(HERE), **(environment or {})}
    with log.open("ab") as output:
        started = subprocess.Popen([program, *arguments], stdout=output, stderr=output, env=given)
    try:
        yield started
    finally:
        started.send_signal(signal.SIGTERM)
        try:
            started.wait(60)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


@contextmanager
def floor(made: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The raw ASGI no-op under the server that ours has, too: where it is, and the process."""
    port = free_port()
    uvicorn = ["-m", "uvicorn", "shop:noop", "--port", str(port), "--no-access-log"]
    uvicorn += ["--loop", "uvloop", "--http", "httptools", "--log-level", "warning"]
    with process(uvicorn, made / "noop.log") as started:
        wait_for(f"http://127.0.0.1:{port}/")
        yield f"http://127.0.0.1:{port}", started


@contextmanager
def gateway(
    made: Path, engine: str, target: str = "shop:app"
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """One of our gateways: where it is, and the process."""
    port = free_port()
    arguments = ["-m", "eitherway", "gateway", target, "--port", str(port), "--engine", engine]
    with process(arguments, made / "gateway.log") as started:
        wait_for(f"http://127.0.0.1:{port}/livez")
        yield f"http://127.0.0.1:{port}", started


def family(pid: int) -> list[int]:
    """A process and all that it started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in family(int(child)))]


def kill(pid: int) -> None:
    """A process and all that it started, at once."""
    for one in reversed(family(pid)):
        with suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(url: str, seconds: float = 20.0) -> None:
    """Return once the URL answers anything."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise TimeoutError(url)


def cpu_seconds(pid: int) -> float:
    """CPU time of a process so far, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def load(url: str, pid: int, seconds: int, connections: int = 64) -> dict[str, float]:
    """wrk against a URL: answers/s, p50 and p99 in ms, errors, the server's CPU in µs each."""
    wrk = shutil.which("wrk")
    if wrk is None:
        sys.exit("this benchmark needs wrk: apt-get install wrk")
    before = cpu_seconds(pid)
    done = subprocess.run(
        [wrk, "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(HERE / "post.lua"), url],
        capture_output=True,
        text=True,
        check=True,
    )
    used = cpu_seconds(pid) - before
    result = re.search(r"RESULT (.*)", done.stdout)
    if result is None:
        sys.exit(done.stdout + done.stderr)
    requests, micros, bad, errors, p50, p99 = (float(field) for field in result[1].split())
    return {
        "per_second": requests / micros * 1e6,
        "p50_ms": p50 / 1e3,
        "p99_ms": p99 / 1e3,
        "errors": bad + errors,
        "cpu_us": used / max(1.0, requests) * 1e6,
    }


Arms = Mapping[str, tuple[str, "subprocess.Popen[bytes]"]]
"""What is compared: by name, where it is served and by which process."""
Rows = dict[str, list[dict[str, float]]]
"""By name, what each round gave."""


def options_of(title: str | None, name: str, *, rounds: int = 5) -> argparse.ArgumentParser:
    """The options that every benchmark has."""
    options = argparse.ArgumentParser(description=title)
    options.add_argument("--rounds", type=int, default=rounds)
    options.add_argument("--json", type=Path, default=Path(f"bench-{name}.json"))
    return options


def load_in_turn(arms: Arms, path: str, *, rounds: int, seconds: int) -> Rows:
    """Load each arm in every round, after one second that warms it."""
    for url, started in arms.values():
        load(url + path, started.pid, 1)
    rows: Rows = {name: [] for name in arms}
    for _ in counted(rounds):
        for name, (url, started) in arms.items():
            rows[name].append(load(url + path, started.pid, seconds))
    return rows


def counted(rounds: int) -> Iterator[int]:
    """The rounds, each said as it begins."""
    for number in range(rounds):
        console.print(f"round {number + 1} of {rounds}")
        yield number


def report(
    title: str, rows: Rows, floors: Sequence[str], path: Path, *, unit: str = "per second"
) -> None:
    """Print a table of medians (least - greatest), with the ratio to each floor of the same run.

    Every run goes into the JSON file, and a plot beside it.
    """
    if any(run.get("errors") for runs in rows.values() for run in runs):
        console.print("[red]some answers were errors: the figures do not count[/red]")
    rates = {name: [run["per_second"] for run in runs] for name, runs in rows.items()}
    table = Table("", unit, *(f"/ {floor}" for floor in floors), "p50 ms", "p99 ms", "CPU µs")
    table.title = title
    for name, runs in rows.items():
        least, rate, most = spread(rates[name])
        cells = [name, f"{rate:,.0f} ({least:,.0f} - {most:,.0f})"]
        cells += [f"{rate / statistics.median(rates[floor]):.2f}" for floor in floors]
        for column in ("p50_ms", "p99_ms", "cpu_us"):
            values = [run[column] for run in runs if column in run]
            cells.append(f"{statistics.median(values):,.1f}" if values else "")
        table.add_row(*cells)
    console.print(table)
    rounds = max(len(runs) for runs in rows.values())
    console.print(f"medians (least - greatest) of {rounds} interleaved rounds; {machine()}")
    write(path, title, rows)
    drawn = drawing(path)
    plot_rates(title, rates, f"{unit}; median, and the range of the runs. {machine()}", drawn)


def report_figures(
    title: str, names: Mapping[str, str], runs: Sequence[Mapping[str, float]], path: Path
) -> None:
    """Print the median, least and greatest of each figure that `names` names.

    Every run goes into the JSON file, and a plot beside it.
    """
    table = Table("", "median", "least", "greatest", title=title)
    for key, name in names.items():
        least, median, most = spread([run[key] for run in runs])
        table.add_row(name, *(f"{value:,.1f}" for value in (median, least, most)))
    console.print(table)
    console.print(f"{len(runs)} runs; {machine()}")
    write(path, title, {title: [dict(run) for run in runs]})
    figures = {name: [run[key] for run in runs] for key, name in names.items()}
    plot_figures(title, figures, f"each run, and the median. {machine()}", drawing(path))


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Least, median and greatest."""
    return min(values), statistics.median(values), max(values)


def machine() -> str:
    """Where it was measured, and when."""
    system = f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}"
    return f"{system}, {datetime.now(UTC):%Y-%m-%d}"


def write(path: Path, title: str, rows: Rows) -> None:
    """Every run, for programs."""
    document = {"title": title, "machine": machine(), "runs": rows}
    path.write_text(json.dumps(document, indent=2))
    console.print(f"every run: {path}")


def drawing(path: Path) -> Path:
    """Where the plot goes, beside the JSON file; said."""
    drawn = path.with_suffix(".svg")
    console.print(f"plotted: {drawn}")
    return drawn

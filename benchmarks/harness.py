"""What the benchmarks share: servers as processes, wrk as the client, medians with their range."""

from __future__ import annotations

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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
console = Console(highlight=False)
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
def process(arguments: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A Python process that ends with the block."""
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    with log.open("ab") as output:
        started = subprocess.Popen(
            [sys.executable, *arguments], stdout=output, stderr=output, env=environment
        )
    try:
        yield started
    finally:
        started.send_signal(signal.SIGTERM)
        started.wait(60)


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


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Least, median and greatest."""
    return min(values), statistics.median(values), max(values)


def report(title: str, rows: dict[str, list[dict[str, float]]], floor: str, path: Path) -> None:
    """Print a table of medians (least - greatest), ratios against the floor, and write the JSON."""
    table = Table("", "per second", f"against {floor}", "p50 ms", "p99 ms", "CPU µs", title=title)
    floor_rate = statistics.median(run["per_second"] for run in rows[floor])
    for name, runs in rows.items():
        least, rate, most = spread([run["per_second"] for run in runs])
        cells = [name, f"{rate:,.0f} ({least:,.0f} - {most:,.0f})", f"{rate / floor_rate:.2f}"]
        for column in ("p50_ms", "p99_ms", "cpu_us"):
            values = [run[column] for run in runs if column in run]
            cells.append(f"{statistics.median(values):,.1f}" if values else "")
        table.add_row(*cells)
    console.print(table)
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}"
    console.print(f"medians (least - greatest) of {len(rows[floor])} interleaved rounds; {machine}")
    path.write_text(json.dumps({"title": title, "machine": machine, "runs": rows}, indent=2))
    console.print(f"every run: {path}")

"""The demo, run as a person runs it: what it shows, and what it leaves behind."""

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

DEMO = Path(__file__).parents[2] / "examples" / "shop" / "demo.py"
ENDED_SECONDS_MAX = 30
ROWS = ("intended", "accepted", "refused", "committed", "known", "lost")


@contextmanager
def demo(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The demo as a child, whose temporary files go to `folder`; killed if it is still there."""
    with subprocess.Popen(
        [sys.executable, str(DEMO), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "80", "TMPDIR": str(folder)},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def served_at(process: subprocess.Popen[str]) -> str:
    """Read on until the demo says where the shop is."""
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r"http://[\d.:]+", line):
            return found[0]
    raise AssertionError(process.stderr and process.stderr.read())


def counts(output: str, row: str) -> tuple[int, int]:
    """A row's counts: of the direct lane, and of the queued one beside it."""
    found = re.search(rf"^{row} +([\d,]+) .*\b{row} +([\d,]+)", output, re.MULTILINE)
    assert found, output
    return int(found[1].replace(",", "")), int(found[2].replace(",", ""))


def test_once_shows_both_ways_and_the_queued_one_loses_nothing(tmp_path: Path) -> None:
    with demo(tmp_path, "--once", "--seconds", "4") as process:
        output, errors = process.communicate(timeout=120)

    assert (process.returncode, errors) == (0, "")
    for status in ("200 OK", "202 Accepted", "503 Service Unavailable"):
        assert f"< HTTP/1.1 {status}" in output
    assert "the same bytes as the direct answer" in output
    assert "2 attempts: error, then succeeded." in output
    assert re.search(r"^direct +POST /orders/direct +queued +POST /orders *$", output, re.MULTILINE)
    direct, queued = zip(*(counts(output, row) for row in ROWS), strict=True)
    intended, accepted, refused, committed, known, lost = direct
    assert 0 < refused == lost == intended - committed, "it is to be driven past its limit"
    assert accepted == committed == known
    assert queued == (intended, intended, 0, intended, intended, 0)
    assert "exactly those that were said to be committed" in " ".join(output.split())
    assert not list(tmp_path.iterdir()), "its database is thrown away"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_served_shop_stops_when_told_to(tmp_path: Path, number: signal.Signals) -> None:
    with demo(tmp_path, "--port", "0") as process:
        with urllib.request.urlopen(f"{served_at(process)}/", timeout=10) as answer:
            assert b"/orders/direct" in answer.read()
        process.send_signal(number)
        process.communicate(timeout=ENDED_SECONDS_MAX)

    assert process.returncode == 0
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [("--port", "0"), ("--once",)])
def test_its_processes_die_with_it(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    with demo(tmp_path, *arguments) as process:
        served_at(process)
        process.kill()
        # All of them hold its standard output: it ends when the last one has ended.
        process.communicate(timeout=ENDED_SECONDS_MAX)


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with demo(tmp_path, "--port", str(port)) as process:
            output, errors = process.communicate(timeout=ENDED_SECONDS_MAX)

    assert (process.returncode, output) == (2, "")
    assert errors.count("\n") == 1
    assert f"127.0.0.1:{port}" in errors

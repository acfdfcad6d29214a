"""When a process may be forked: in a process of its own, as pytest's has threads."""

import subprocess
import sys

import pytest

ASKED = """
import socket, threading
from eitherway.cli.forking import Footprint
footprint = Footprint()
{}
print(footprint.bars_forks())
"""


@pytest.mark.parametrize(
    ("since", "bars"),
    [
        ("import json", False),
        ("open(__import__('os').devnull).close()", False),
        ("kept = socket.socket()", True),
        ("threading.Thread(target=threading.Event().wait, daemon=True).start()", True),
    ],
)
def test_threads_and_open_files_bar_forks(since, bars):
    """A module that leaves either behind is loaded by each process for itself."""
    asked = [sys.executable, "-c", ASKED.format(since)]
    said = subprocess.run(asked, capture_output=True, text=True, check=True)
    assert said.stdout.split() == [str(bars)]

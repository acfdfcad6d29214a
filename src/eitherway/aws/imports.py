"""How long functions import before their first event: each tried here, in a new interpreter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from ..errors import ConfigurationError

HANDLERS = ("http", "queue", "stream", "socket", "sweeper", "dead")
"""The modules of `eitherway.lambdas` that functions are."""

_TRIES = 2
"""The first one may have to compile what nobody has imported before."""

_SCRIPT = """
import importlib, json, sys, time
_, handler, module = sys.argv
began = time.perf_counter()
importlib.import_module(f"eitherway.lambdas.{handler}")
seconds = time.perf_counter() - began
print()
print(json.dumps([seconds, module in sys.modules]))
"""


def import_seconds(target: str, folder: Path) -> Mapping[str, float]:
    """Seconds by handler, the app included: `target`, `module:app`, which lies in `folder`.

    `ConfigurationError` where one cannot be imported: it could not on Lambda either.
    """
    return {handler: min(_tried(handler, target, folder)) for handler in HANDLERS}


def _tried(handler: str, target: str, folder: Path) -> list[float]:
    module = target.partition(":")[0]
    found = []
    for _ in range(_TRIES):
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-c", _SCRIPT, handler, module],
            env={**os.environ, "EITHERWAY_APP": target},
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["it ended"])[-1]
            raise ConfigurationError(f"eitherway.lambdas.{handler} cannot be imported: {reason}")
        seconds, has_app = json.loads(done.stdout.splitlines()[-1])
        if not has_app:
            raise ConfigurationError(f"eitherway.lambdas.{handler} does not load {module}")
        found.append(seconds)
    return found

"""Programs that some tests need beside Python; `./dev test` installs what is missing."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

_CHECKOUT = Path(__file__).resolve().parents[2]
_PLACES = [str(_CHECKOUT / ".dev"), str(Path(sys.executable).parent), os.environ["PATH"]]


def tool(*names: str) -> str:
    """Where the first of these programs is. Without any: skipped here, failed where `CI` is set."""
    for name in names:
        if (found := shutil.which(name, path=os.pathsep.join(_PLACES))) is not None:
            return found
    missing = f"{names[0]} is missing: `./dev test` installs it where it may"
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)

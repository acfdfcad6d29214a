"""Programs that some tests need beside Python; `./dev test` installs what is missing."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

import pytest

_CHECKOUT = Path(__file__).resolve().parents[1]
_PLACES = [str(_CHECKOUT / ".dev"), str(Path(sys.executable).parent), os.environ["PATH"]]


def tool(*names: str, among: Iterable[Path] = ()) -> str:
    """Where the first of these programs is; `among` are folders to look in besides.

    Without any: skipped here, failed where `CI` is set.
    """
    path = os.pathsep.join([*_PLACES, *map(str, among)])
    found = next(filter(None, (shutil.which(name, path=path) for name in names)), None)
    if found is None:
        missing(f"{names[0]} is missing: `./dev test` installs it where it may")
    return found


def missing(what: str) -> NoReturn:
    """Skip here, fail where `CI` is set."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)

"""Watches an app's files: when one was written, added or deleted, the app is to be loaded again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from ..clock import Clock

_LOOK_SECONDS = 0.3


async def watch(folder: Path, clock: Clock, changed: Callable[[], None]) -> None:
    """Call `changed` each time a Python file below the folder has changed. Until cancelled."""
    seen = dict(_written(folder))
    while True:
        await clock.sleep(_LOOK_SECONDS)
        found = dict(_written(folder))
        if found != seen:
            seen = found
            changed()


def _written(folder: Path) -> Iterator[tuple[str, int]]:
    """Each Python file and when it was written last; nothing of hidden folders and packages."""
    for place, folders, files in os.walk(folder):
        folders[:] = [
            name for name in folders if name[0] not in "._" and name not in ("node_modules", "venv")
        ]
        if "pyvenv.cfg" in files:
            folders.clear()
            continue
        for name in files:
            if name.endswith(".py"):
                try:
                    yield f"{place}/{name}", os.stat(f"{place}/{name}").st_mtime_ns  # noqa: PTH116
                except OSError:
                    continue  # deleted meanwhile

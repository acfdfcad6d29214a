"""Copies a database while it is in use."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from ...errors import ConfigurationError, EngineError
from .migrations import APPLICATION_ID

_WAIT_SECONDS = 60.0  # for whoever holds the file, at the most


def back_up(source: Path, target: Path) -> None:
    """Copy `source` as it is at one moment to `target`, whole or not at all, and hold up nobody.

    By SQLite's online backup: with `cp`, what is still in the write-ahead log would be left out.
    `target` may be an older copy; anything else that is there stays, with a `ConfigurationError`.
    """
    _check_target(source, target)
    unfinished = target.with_name(f"{target.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    try:
        _copy(source, unfinished)
        unfinished.replace(target)
    except (sqlite3.Error, OSError) as error:
        raise EngineError(f"{target} could not be written ({error}): no copy was made") from error
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    existing = f"{source.resolve().as_uri()}?mode=rw"
    with (
        closing(sqlite3.connect(existing, uri=True, timeout=_WAIT_SECONDS)) as used,
        closing(sqlite3.connect(target)) as copy,
    ):
        used.backup(copy)
        (verdict,) = copy.execute("PRAGMA integrity_check").fetchone()
    if verdict != "ok":
        raise EngineError(f"{source} is damaged: {verdict}")


def _check_target(source: Path, target: Path) -> None:
    if not target.parent.is_dir():
        raise ConfigurationError(f"there is no directory {target.parent}: make it")
    if not target.exists():
        return
    if target.samefile(source):
        raise ConfigurationError(f"{target} is the database itself: name another file")
    if not target.is_file() or _application_of(target) != APPLICATION_ID:
        raise ConfigurationError(f"{target} is there, and is no backup: name another file")


def _application_of(path: Path) -> int:
    """What the header says whose file it is: bytes 68 to 71 (sqlite.org/fileformat2.html)."""
    with path.open("rb") as file:
        return int.from_bytes(file.read(72)[68:], "big")

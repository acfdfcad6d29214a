"""Copy an app's database while it is in use: python backup.py SOURCE TARGET."""

import sqlite3
import sys
from contextlib import closing
from pathlib import Path


def back_up(source: Path, target: Path) -> None:
    unfinished = target.with_name(f"{target.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    existing = f"{source.resolve().as_uri()}?mode=rw"
    with (
        closing(sqlite3.connect(existing, uri=True, timeout=60)) as used,
        closing(sqlite3.connect(unfinished)) as copy,
    ):
        used.backup(copy)
        (verdict,) = copy.execute("PRAGMA integrity_check").fetchone()
    if verdict != "ok":
        raise SystemExit(f"the copy of {source} is damaged: {verdict}")
    unfinished.replace(target)


if __name__ == "__main__":
    back_up(*map(Path, sys.argv[1:]))

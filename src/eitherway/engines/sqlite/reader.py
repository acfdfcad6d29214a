"""Queries on the event loop's own thread: a look-up takes microseconds, a thread hop more."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

from ...errors import EngineError
from .queries import QUERIES
from .store import Store, engine_error

_DIGITS_MAX = 18  # of what SQLite can hold


class Reader:
    """What has been committed, as it is now."""

    def __init__(self, store: Store) -> None:
        self._store = store
        try:
            self._connection = store.connect()
        except (sqlite3.Error, OSError) as error:
            raise engine_error(error) from error

    def all(self, query: str, **values: Any) -> list[Any]:
        """Every row that the named query finds."""
        try:
            with self._store.reading():
                return self._connection.execute(QUERIES[query], values).fetchall()
        except sqlite3.Error as error:
            raise engine_error(error) from error

    def some(
        self, query: str, enough: Callable[[Any], bool], **values: Any
    ) -> tuple[list[Any], bool]:
        """Rows that the named query finds, up to one that is enough; whether there was one."""
        rows: list[Any] = []
        try:
            with self._store.reading(), closing(self._connection.cursor()) as cursor:
                for row in cursor.execute(QUERIES[query], values):
                    rows.append(row)
                    if enough(row):
                        return rows, True
        except sqlite3.Error as error:
            raise engine_error(error) from error
        return rows, False

    def close(self) -> None:
        """Let go of the connection."""
        self._store.disconnect(self._connection)


def to_seq(cursor: str) -> int:
    """The `seq` that a cursor is the text of; `EngineError` if it is none."""
    if not cursor.isdecimal() or len(cursor) > _DIGITS_MAX:
        raise EngineError(f"{cursor[:100]!r} is no cursor of this engine")
    return int(cursor)

"""Brings a database's schema up to date."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from ...errors import ConfigurationError

APPLICATION_ID = 0x65697468  # "eith", in the file's header
MIGRATIONS: Sequence[Path] = sorted(Path(__file__).with_name("migrations").glob("*.sql"))
"""Each starts with its number; the number of the last one applied is the file's `user_version`."""


def check_schema(connection: sqlite3.Connection) -> None:
    """`ConfigurationError` if the database is another program's, or of a newer eitherway."""
    if _pragma(connection, "application_id") != APPLICATION_ID and not _is_empty(connection):
        raise ConfigurationError("the database is another program's: give a file of its own")
    version, newest = _pragma(connection, "user_version"), int(MIGRATIONS[-1].name[:4])
    if version > newest:
        raise ConfigurationError(
            f"the database has schema {version}, this eitherway knows up to {newest}: "
            "upgrade eitherway, or give another file"
        )


def migrate(connection: sqlite3.Connection, migrations: Sequence[Path] = MIGRATIONS) -> None:
    """Apply what is missing, each migration whole or not at all. Call it under the file's lock."""
    version = _pragma(connection, "user_version")
    for migration in migrations:
        number = int(migration.name[:4])
        if number > version:
            _apply(connection, migration.read_text(encoding="utf-8"), number)


def _apply(connection: sqlite3.Connection, script: str, number: int) -> None:
    try:
        connection.executescript(
            f"BEGIN IMMEDIATE;\n{script}\nPRAGMA application_id = {APPLICATION_ID};\n"
            f"PRAGMA user_version = {number};\nCOMMIT;"
        )
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _is_empty(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value

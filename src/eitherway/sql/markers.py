"""Rows of `once_table`: set before the body, filled after it, deleted when nobody can ask again."""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, cast, overload

from sqlalchemy import CursorResult, bindparam, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from ..errors import ConfigurationError
from .ownership import begun_by_user
from .schema import once_table

_UNDEFINED_TABLE = "42P01"
_ROW = once_table.c
_HERE = (_ROW.job_id == bindparam("this_job")) & (_ROW.name == bindparam("this_name"))
_SET = {
    dialect: insert(once_table)
    .values(job_id=bindparam("this_job"), name=bindparam("this_name"))
    .on_conflict_do_nothing()
    .returning(_ROW.job_id)
    for dialect, insert in (("postgresql", postgresql.insert), ("sqlite", sqlite.insert))
}
_READ = select(_ROW.result).where(_HERE)
_FILL = update(once_table).where(_HERE).values(result=bindparam("kept"))


class Marker:
    """The marker of one body in one job, in the transaction of the session that it is given."""

    def __init__(self, job_id: str, name: str) -> None:
        self._key = {"this_job": job_id, "this_name": name}

    def set(self, session: Session) -> bool:
        """Set the marker; False if it is there already. Waits for whoever is about to commit it.

        `ConfigurationError` where the database cannot do it, or not yet.
        """
        statement = _SET[dialect_of(session)]
        try:
            return session.execute(statement, self._key).first() is not None
        except DBAPIError as error:
            if not _table_is_missing(error):
                raise
        raise ConfigurationError(
            f"this database has no table {once_table.name}: run "
            "eitherway.sql.create_once_table(engine), or a migration that does"
        )

    def read(self, session: Session) -> str | None:
        """The result that was kept; None where the body ended without one, or the marker went."""
        found: str | None = session.scalar(_READ, self._key)
        return found

    def fill(self, session: Session, result: str) -> None:
        """Keep the body's result."""
        session.execute(_FILL, {**self._key, "kept": result})


def dialect_of(session: Session) -> str:
    """The dialect of the session's database. `ConfigurationError` if `once` does not know it."""
    name = session.get_bind(clause=once_table).dialect.name
    if name not in _SET:
        raise ConfigurationError(
            f"eitherway.sql.once knows {' and '.join(sorted(_SET))}, not {name}"
        )
    return name


def _table_is_missing(error: DBAPIError) -> bool:
    states = (getattr(error.orig, name, None) for name in ("sqlstate", "pgcode"))
    return _UNDEFINED_TABLE in states or f"no such table: {once_table.name}" in str(error.orig)


@overload
def forget(session: Session, older_than_seconds: float) -> int: ...
@overload
def forget(session: AsyncSession, older_than_seconds: float) -> Coroutine[Any, Any, int]: ...


def forget(
    session: Session | AsyncSession, older_than_seconds: float
) -> int | Coroutine[Any, Any, int]:
    """Delete markers set longer ago than this, and say how many. Awaited with an `AsyncSession`.

    A job that runs again after its marker went runs its body again: never ask for less than the
    longest `deadline_seconds` of your jobs, and for more if you redrive old dead letters. Commits,
    unless in a `begin()` block.
    """
    if older_than_seconds <= 0:
        raise ValueError("older_than_seconds is above 0, and above the deadline of your jobs")
    if isinstance(session, AsyncSession):
        return session.run_sync(_forget, older_than_seconds)
    return _forget(session, older_than_seconds)


def _forget(session: Session, older_than_seconds: float) -> int:
    bind = {"clause": once_table}
    now = session.scalars(select(func.now()), bind_arguments=bind).one()
    before = now - timedelta(seconds=older_than_seconds)
    deleted = session.execute(delete(once_table).where(_ROW.created < before))
    count = cast("CursorResult[Any]", deleted).rowcount
    if not begun_by_user(session):
        session.commit()
    return count

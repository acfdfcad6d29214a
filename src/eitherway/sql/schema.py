"""The table of markers in the user's own database, and how it is made."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, overload

from sqlalchemy import Column, Connection, DateTime, Engine, MetaData, Table, Text, func
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.schema import CreateTable

once_table = Table(
    "eitherway_once",
    MetaData(),
    Column("job_id", Text, primary_key=True),
    Column("name", Text, primary_key=True),  # of the body; empty, if the handler has but one
    Column("result", Text),  # JSON; there from the marker's commit on
    Column("created", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
"""`(job_id, name) -> result`: what has been done once. On a `MetaData` of its own."""


@overload
def create_once_table(bind: Connection | Engine) -> None: ...
@overload
def create_once_table(bind: AsyncConnection | AsyncEngine) -> Coroutine[Any, Any, None]: ...


def create_once_table(
    bind: Connection | Engine | AsyncConnection | AsyncEngine,
) -> Coroutine[Any, Any, None] | None:
    """Make `once_table` where it is missing. Await it, given something of `sqlalchemy.ext.asyncio`.

    An engine commits by itself; a connection is left to whoever began on it.
    """
    if isinstance(bind, AsyncEngine | AsyncConnection):
        return _create(bind)
    if isinstance(bind, Engine):
        with bind.begin() as connection:
            connection.execute(_CREATE)
    else:
        bind.execute(_CREATE)
    return None


async def _create(bind: AsyncConnection | AsyncEngine) -> None:
    if isinstance(bind, AsyncConnection):
        await bind.execute(_CREATE)
    else:
        async with bind.begin() as connection:
            await connection.execute(_CREATE)


_CREATE = CreateTable(once_table, if_not_exists=True)

"""One database of the user's own, with counters in it, as plain and as async SQLAlchemy sees it."""

from __future__ import annotations

from contextlib import asynccontextmanager

from sqlalchemy import (
    Column,
    Integer,
    MetaData,
    Table,
    Text,
    create_engine,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from eitherway import Context
from eitherway.trace import Span

counters = Table(
    "counters", MetaData(), Column("name", Text, primary_key=True), Column("value", Integer)
)


class Database:
    """A counter `c` at 0, counted with sessions of one kind."""

    def __init__(self, url, *, kind):
        self.is_async = kind == "async"
        driver = url.replace("sqlite://", "sqlite+aiosqlite://") if self.is_async else url
        self.engine = create_async_engine(driver) if self.is_async else create_engine(driver)
        self.reader = create_engine(url)
        counters.metadata.create_all(self.reader)
        with self.reader.begin() as connection:
            connection.execute(counters.insert().values(name="c", value=0))

    async def close(self):
        self.reader.dispose()
        disposed = self.engine.dispose()
        if self.is_async:
            await disposed

    def count(self):
        with self.reader.connect() as connection:
            return connection.scalar(select(counters.c.value))

    def rows(self, table):
        with self.reader.connect() as connection:
            return [tuple(row) for row in connection.execute(select(table))]

    @asynccontextmanager
    async def session(self):
        """A session of this database's kind."""
        if self.is_async:
            async with AsyncSession(self.engine) as session:
                yield session
        else:
            with Session(self.engine) as session:
                yield session

    @asynccontextmanager
    async def block(self, session):
        """An explicit `begin()` block."""
        if self.is_async:
            async with session.begin():
                yield
        else:
            with session.begin():
                yield

    def until_somebody_waits(self):
        """Return once a lock is waited for; SQLite does not tell, and is not asked."""
        if self.reader.dialect.name == "postgresql":
            with self.reader.connect() as connection:
                while not connection.scalar(
                    text("SELECT count(*) FROM pg_locks WHERE NOT granted")
                ):
                    pass

    async def done(self, value):
        """What a call of this kind gives: awaited, where it has to be."""
        return await value if self.is_async else value

    def body(self, function):
        """The function as a body of this kind; it takes the plain session."""
        if not self.is_async:
            return function

        async def body(session, *args):
            return await session.run_sync(function, *args)

        body.__qualname__ = function.__qualname__
        body.__annotations__ = {
            name: kind for name, kind in function.__annotations__.items() if name == "return"
        }
        return body


def add(session) -> int:
    """Add 1 to the counter."""
    statement = update(counters).values(value=counters.c.value + 1).returning(counters.c.value)
    return session.scalar(statement)


def context(job_id="job"):
    """A handler's context, of this job."""
    return Context(
        job_id=job_id,
        operation="count",
        attempt=1,
        attempts_max=5,
        deadline=0,
        headers={},
        span=Span(job_id, None, lambda: "1" * 16),
        unit=None,
        enqueue=None,
    )

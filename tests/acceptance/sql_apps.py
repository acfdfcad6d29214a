"""An app that counts in a PostgreSQL, whose URL is in COUNTERS_URL."""

import asyncio
import os

from sqlalchemy import Column, Integer, MetaData, Table, Text, update
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from eitherway import App, Context, Limit
from eitherway.sql import once

counters = Table(
    "counters", MetaData(), Column("name", Text, primary_key=True), Column("value", Integer)
)
passed = Table("passed", counters.metadata, Column("job_id", Text))
database = create_async_engine(os.environ["COUNTERS_URL"], pool_size=16, max_overflow=0)
app = App("counting")


async def add(session: AsyncSession, name: str) -> int:
    """Not idempotent: only as often as it is run."""
    statement = update(counters).where(counters.c.name == name)
    added = statement.values(value=counters.c.value + 1).returning(counters.c.value)
    return (await session.scalars(added)).one()


@app.post("/counters/{name}", delivery="queued", lease_seconds=1.0, limit=Limit(in_flight=16))
async def count(ctx: Context, name: str) -> int:
    """Counts once; every attempt that comes so far is noted, and often dies before it has ended."""
    async with AsyncSession(database) as session:
        value = await once(ctx, session, add, session, name)
        await session.execute(passed.insert().values(job_id=ctx.job_id))
        await session.commit()
    await asyncio.sleep(0.02)
    return value

"""An app whose handlers write down, in a table and in a file, that they ran.

The file is outside of every commit: a line for each run. `KEYED_FOLDER` says where it is. The
slow operation waits there, after its write, until a file called `proceed` is beside it.
"""

import asyncio
import os
from pathlib import Path

from sqlalchemy import Column, Integer, MetaData, Table, Text, create_engine, update
from sqlalchemy.orm import Session

from eitherway import App, Context
from eitherway.sql import once

FOLDER = Path(os.environ["KEYED_FOLDER"])
counters = Table(
    "counters", MetaData(), Column("name", Text, primary_key=True), Column("value", Integer)
)
database = create_engine(f"sqlite:///{FOLDER / 'own.db'}")
app = App("keyed")
counts = app.table("counts", dict, key="name")


async def count(ctx: Context, name: str) -> int:
    """One more, in the table, and a line in the file."""
    with (FOLDER / "runs").open("a") as runs:
        runs.write(f"{name} {ctx.job_id}\n")
    row = await counts.get(name, {"name": name, "value": 0})
    await counts.put({"name": name, "value": row["value"] + 1})
    return row["value"] + 1


@app.post("/direct/{name}")
async def direct(ctx: Context, name: str) -> int:
    """Takes a moment, so that others come meanwhile."""
    value = await count(ctx, name)
    await asyncio.sleep(0.05)
    return value


@app.post("/queued/{name}", delivery="queued")
async def queued(ctx: Context, name: str) -> int:
    return await count(ctx, name)


@app.post("/slow/{name}")
async def slow(ctx: Context, name: str) -> int:
    """Counts in its own database and in the table, then waits before it answers."""
    with Session(database) as session:
        once(ctx, session, add, session, name)
        session.commit()
    value = await count(ctx, name)
    while not (FOLDER / "proceed").exists():
        await asyncio.sleep(0.01)
    return value


def add(session: Session, name: str) -> None:
    """Not idempotent: only as often as it is run."""
    statement = update(counters).where(counters.c.name == name)
    session.execute(statement.values(value=counters.c.value + 1))


@app.get("/counts/{name}")
async def read(name: str) -> int:
    return (await counts.get(name))["value"]

"""Sessions as FastAPI's and SQLAlchemy's pages have them, in routes and in operations alike."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI
from pydantic import BaseModel, ConfigDict
from sqlalchemy import create_engine, func, select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from eitherway import App, Context, Limit, Reject
from eitherway.sql import create_once_table, once

PATH = os.environ["HEROES_DB"]
engine = create_engine(f"sqlite:///{PATH}", connect_args={"timeout": 30})
async_engine = create_async_engine(f"sqlite+aiosqlite:///{PATH}", connect_args={"timeout": 30})


class Base(DeclarativeBase):
    """Of the tables."""


class Row(Base):
    """A hero."""

    __tablename__ = "heroes"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Hero(BaseModel):
    """Read from a row, while its session is open."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    id: int | None = None


def get_session() -> Iterator[Session]:
    with Session(engine) as session:
        yield session


async def get_transaction() -> AsyncIterator[AsyncSession]:
    async with AsyncSession(async_engine) as session, session.begin():
        yield session


SessionDep = Annotated[Session, Depends(get_session)]
TransactionDep = Annotated[AsyncSession, Depends(get_transaction)]


def count_heroes(session: SessionDep) -> int:
    """A sub-dependency, of both worlds."""
    return session.scalar(select(func.count()).select_from(Row)) or 0


@asynccontextmanager
async def tables(_: App) -> AsyncIterator[None]:
    with engine.begin() as connection:
        Base.metadata.create_all(connection)
        create_once_table(connection)
    yield
    await async_engine.dispose()
    engine.dispose()


heroes = App("heroes", lifespan=tables)


@heroes.post("/heroes", status=201)
@heroes.post("/heroes/queued", delivery="queued", lease_seconds=1, status=201, name="queued")
def create_hero(hero: Hero, session: SessionDep) -> Hero:
    row = Row(name=hero.name)
    session.add(row)
    session.commit()
    session.refresh(row)
    if hero.name == "nobody":
        raise Reject("a hero has a name")
    return row


@heroes.post("/heroes/once", delivery="queued", lease_seconds=1, limit=Limit(in_flight=4))
async def create_once(ctx: Context, hero: Hero, session: TransactionDep) -> int:
    return await once(ctx, session, add, session, hero.name)


async def add(session: AsyncSession, name: str) -> int:
    row = Row(name=name)
    session.add(row)
    await session.flush()
    return row.id


@heroes.get("/count")
async def count(found: Annotated[int, Depends(count_heroes)]) -> int:
    return found


@heroes.post("/open", delivery="queued")
async def count_open() -> int:
    """Connections that are in use in the worker."""
    return engine.pool.checkedout() + async_engine.pool.checkedout()


api = FastAPI(lifespan=heroes.lifespan)


@api.get("/names")
def read_names(session: SessionDep) -> list[str]:
    return list(session.scalars(select(Row.name).order_by(Row.name)))


@api.get("/count")
def read_count(found: Annotated[int, Depends(count_heroes)]) -> int:
    return found


@api.get("/open")
def read_open() -> int:
    return engine.pool.checkedout() + async_engine.pool.checkedout()


api.mount("/api", heroes)

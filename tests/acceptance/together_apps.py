"""A FastAPI application with routes and a page of its own, and in it an app that asks who calls."""

import os
from typing import Annotated

from fastapi import Depends, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from hosted_sql_apps import Hero, Row, SessionDep, count_heroes, tables
from sqlalchemy import select

from eitherway import App, Context
from eitherway.auth import ApiKeys
from eitherway.cors import cors_options

heroes = App("together", lifespan=tables, auth=ApiKeys(cache_seconds=0.2))


@heroes.post("/heroes", delivery="auto", lease_seconds=1, status=201)
def create_hero(hero: Hero, session: SessionDep) -> Hero:
    """Create a hero."""
    row = Row(name=hero.name)
    session.add(row)
    session.commit()
    session.refresh(row)
    return row


@heroes.get("/count")
async def count(found: Annotated[int, Depends(count_heroes)], ctx: Context) -> list[object]:
    return [found, ctx.principal is not None]


api = FastAPI(title="The host", lifespan=heroes.lifespan)
api.add_middleware(CORSMiddleware, **cors_options(os.environ["HOSTED_ORIGIN"]))


@api.get("/names")
def read_names(session: SessionDep) -> list[str]:
    return list(session.scalars(select(Row.name).order_by(Row.name)))


@api.get("/count")
def read_count(found: Annotated[int, Depends(count_heroes)]) -> int:
    return found


api.mount("/api", heroes)

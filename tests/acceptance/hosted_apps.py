"""An app in a FastAPI application, whose lifespans leave a line in a file for each process."""

import os
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from pydantic import BaseModel

from eitherway import App, Context, Reject
from eitherway.cors import cors_options

LINES = Path(os.environ.get("HOSTED_LINES", os.devnull))
ORIGIN = os.environ.get("HOSTED_ORIGIN", "http://nowhere.example")
POOL = {}


def note(text: str) -> None:
    with LINES.open("a") as lines:
        lines.write(f"{os.getpid()} {text}\n")


@asynccontextmanager
async def pool(app: App):
    if "HOSTED_BROKEN" in os.environ:
        raise ConnectionError("no database at 10.0.0.7")
    POOL["open"] = app.name
    note("opens")
    try:
        yield
    finally:
        note("closes")
        POOL.clear()


class Order(BaseModel):
    order_id: str
    amount: float = 1.0
    dies: bool = False


shop = App("hosted", lifespan=pool)


@shop.post("/orders", delivery="queued", lease_seconds=1)
async def place_order(order: Order, ctx: Context) -> str:
    """Dies with its process when it is told to, but for the second attempt: alone."""
    if order.dies and ctx.attempt == 1 and not Path(f"{LINES}.died").exists():
        Path(f"{LINES}.died").touch()
        os.kill(os.getpid(), 9)
    note(f"ran {order.order_id}")
    if order.amount < 0:
        raise Reject("an order costs something")
    return POOL["open"]


@shop.get("/orders/{order_id}")
async def read_order(order_id: str) -> str:
    return POOL["open"]


api = FastAPI(lifespan=shop.lifespan)
api.add_middleware(CORSMiddleware, **cors_options(ORIGIN))


@api.get("/hello")
async def hello() -> str:
    return "hello"


api.mount("/shop", shop)

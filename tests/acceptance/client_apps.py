"""One handler, in every delivery, that counts in a table how often it took effect."""

import asyncio
import os
from pathlib import Path

from pydantic import BaseModel
from starlette.responses import HTMLResponse

from eitherway import App, Context, Limit, Reject, Retry

FOLDER = Path(os.environ["CLIENT_FOLDER"])
app = App("clients")
orders = app.table("orders", dict, key="order_id")


class Order(BaseModel):
    order_id: str
    takes_seconds: float = 0.0


async def place_order(order: Order) -> Order:
    """Its effect is there as often as it committed; `runs` has a letter for each start."""
    with (FOLDER / "runs").open("a") as runs:
        runs.write(".")
    row = await orders.get(order.order_id, {"order_id": order.order_id, "placed": 0})
    await asyncio.sleep(order.takes_seconds)
    await orders.put({**row, "placed": row["placed"] + 1})
    return order


retry = Retry(attempts=9, base_seconds=0.01, ceiling_seconds=0.1)
app.post("/direct", name="direct", status=201)(place_order)
app.post("/queued", name="queued", delivery="queued", retry=retry)(place_order)
app.post("/auto", name="auto", delivery="auto", limit=Limit(in_flight=3), retry=retry)(place_order)


@app.get("/placed/{order_id}")
async def placed(order_id: str) -> int:
    return int((await orders.get(order_id))["placed"])


@app.post("/held", delivery="queued")
async def held(order: Order, ctx: Context) -> Order:
    """Waits until there is a file with the order's id."""
    ctx.progress(0.5, "half way")
    while not (FOLDER / order.order_id).exists():
        await asyncio.sleep(0.01)
    return order


@app.post("/refused", delivery="queued")
async def refused(order: Order) -> Order:
    raise Reject("no such customer", status=409)


app.mount("/", HTMLResponse('<!doctype html><link rel="icon" href="data:,"><title>A page</title>'))

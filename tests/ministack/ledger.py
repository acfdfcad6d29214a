"""An app for the stack in MiniStack: sums that must be right, whoever dies."""

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from eitherway import App, Context, Limit, Retry

FOLDER = Path(os.environ.get("LEDGER_FOLDER", "."))


class Sum(BaseModel):
    name: str
    total: int


class Add(BaseModel):
    name: str
    amount: int = 1
    kill: str | None = None  # the process, once for each such word


class Order(BaseModel):
    order_id: str
    text: str = ""


class Span(BaseModel):
    """When a handler ran, by the clock that all processes share."""

    began: float
    ended: float


app = App("ledger")
sums = app.table("sums", Sum, key="name")
orders = app.table("orders", Order, key="order_id")


@app.post(
    "/adds",
    delivery="queued",
    lease_seconds=2,
    timeout_seconds=10,
    retry=Retry(attempts=5, base_seconds=0.1, ceiling_seconds=1),
    limit=Limit("adds", in_flight=8),
)
async def add(one: Add) -> Sum:
    found = await sums.get(one.name, Sum(name=one.name, total=0))
    if one.kill is not None:
        mark = FOLDER / one.kill
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    await sums.put(Sum(name=one.name, total=found.total + one.amount))
    return Sum(name=one.name, total=found.total + one.amount)


@app.get("/sums/{name}")
async def read_sum(name: str) -> Sum:
    return await sums.get(name, Sum(name=name, total=0))


@app.post("/poison", delivery="queued", retry=Retry(attempts=2, base_seconds=0.1))
async def poison(order: Order) -> str:
    if order.text and await asyncio.to_thread((FOLDER / order.text).exists):
        return "harmless"
    raise ValueError(f"nobody can take {order.order_id}")


@app.post(
    "/deadly",
    delivery="queued",
    lease_seconds=1,
    timeout_seconds=10,
    retry=Retry(attempts=2, base_seconds=0.1),
)
async def deadly(order: Order) -> None:
    with (FOLDER / order.order_id).open("a") as starts:
        starts.write("x")
    os.kill(os.getpid(), signal.SIGKILL)


@app.put("/orders/{order_id}", delivery="queued", accept="function", wait_seconds=20)
async def place_order(order_id: str, text: str, ctx: Context) -> dict[str, Any]:
    await orders.put(Order(order_id=order_id, text=text))
    return {"order_id": order_id, "text": text, "attempt": ctx.attempt}


@app.post("/large", delivery="queued")
async def large(order: Order) -> str:
    return "x" * 150_000


narrow = Limit("narrow", in_flight=2)


async def hold(order: Order) -> Span:
    """Until a file of the order's text is there; one more tells that it was stopped."""
    began = time.monotonic()
    try:
        while order.text and not await asyncio.to_thread((FOLDER / order.text).exists):
            await asyncio.sleep(0.05)
    except asyncio.CancelledError:
        (FOLDER / f"{order.order_id}-stopped").touch()
        raise
    return Span(began=began, ended=time.monotonic())


app.post("/held", name="held", delivery="queued", limit=narrow, timeout_seconds=60)(hold)
app.post("/held/direct", name="held_direct", limit=narrow, timeout_seconds=20)(hold)


@app.post("/chains", delivery="queued")
async def begin_chain(one: Add, ctx: Context) -> str:
    await orders.put(Order(order_id=one.name))
    return str(ctx.enqueue(add, one, delay_seconds=1).id)


@app.post("/either", delivery="auto", limit=narrow)
async def either(order: Order) -> Order:
    await orders.put(order)
    return order

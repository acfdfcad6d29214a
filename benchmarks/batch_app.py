"""What the batch benchmark serves: the same rows, one in a call or a hundred."""

import asyncio

from eitherway import App, Context, Limit
from shop import Order

CALL_SECONDS = 0.002
CONNECTIONS = 4

app = App("bench-batch")
orders = app.table("orders", Order, key="id")
limit = Limit("all", in_flight=400)
connections = asyncio.Semaphore(CONNECTIONS)


@app.operation(limit=limit)
async def table_single(order: Order) -> None:
    """One row of its own."""
    await orders.put(order)


@app.operation(limit=limit, batch_max=100)
async def table_batch(rows: list[Order], ctx: Context) -> list[None]:
    """The same rows, each its own item's."""
    for index, row in enumerate(rows):
        with ctx.item(index):
            await orders.put(row)
    return [None] * len(rows)


@app.operation(limit=limit)
async def call_single(order: Order) -> None:  # noqa: ARG001 - the same input
    """One call of something that takes its time, however many do it at once."""
    await asyncio.sleep(CALL_SECONDS)


@app.operation(limit=limit, batch_max=100)
async def call_batch(rows: list[Order]) -> list[None]:
    """One such call for all of them."""
    await asyncio.sleep(CALL_SECONDS)
    return [None] * len(rows)


@app.operation(limit=limit)
async def pool_single(order: Order) -> None:  # noqa: ARG001 - the same input
    """One such call, over one of few connections."""
    async with connections:
        await asyncio.sleep(CALL_SECONDS)


@app.operation(limit=limit, batch_max=100)
async def pool_batch(rows: list[Order]) -> list[None]:
    """One such call for all of them, over one of few connections."""
    async with connections:
        await asyncio.sleep(CALL_SECONDS)
    return [None] * len(rows)

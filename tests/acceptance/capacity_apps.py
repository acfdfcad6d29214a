"""A table that takes 50 units a second and saves nothing up, behind a direct operation."""

from pydantic import BaseModel

from eitherway import App, Limit, Retry


class Order(BaseModel):
    order_id: str


app = App("capacity")
orders = app.table("orders", Order, key="order_id", write_capacity=50, write_burst_seconds=0)


@app.post("/orders", limit=Limit(in_flight=1000))
async def place_order(order: Order) -> Order:
    await orders.put(order)
    return order


@app.post(
    "/orders/later",
    delivery="queued",
    limit=Limit("orders-table", adaptive=True),
    retry=Retry(base_seconds=0.5, ceiling_seconds=5),
)
async def place_order_later(order: Order) -> Order:
    await orders.put(order)
    return order


@app.get("/orders")
async def list_orders(after: str = "") -> list[str]:
    """A page of ids; the next one begins after its last."""
    return [order.order_id async for order in orders.query(after=after, limit=250)]

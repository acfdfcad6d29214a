"""A shop's orders: the same handler, queued at /orders and direct at /orders/direct."""

from pydantic import BaseModel

from eitherway import App, Limit, Retry


class Order(BaseModel):
    order_id: str
    amount: float


app = App("shop")
orders = app.table("orders", Order, key="order_id")
orders_db = Limit("orders-db", in_flight=8, per_second=200)


@app.post("/orders", delivery="queued", retry=Retry(attempts=5), limit=orders_db)
async def place_order(order: Order) -> Order:
    await orders.put(order)
    return order


@app.post("/orders/direct", name="place_order_now", limit=orders_db)
async def place_order_now(order: Order) -> Order:
    return await place_order(order)


@app.get("/orders/{order_id}")
async def read_order(order_id: str) -> Order:
    return await orders.get(order_id)

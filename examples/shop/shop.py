"""A shop's orders: the same handler, queued at /orders and direct at /orders/direct."""

from pydantic import BaseModel, Field

from eitherway import App, Context, Limit, Retry


class Order(BaseModel):
    order_id: str = Field(min_length=1, max_length=200)
    amount: float


app = App("shop")
orders = app.table("orders", Order, key="order_id")
orders_db = Limit("orders-db", in_flight=8, per_second=200)


@app.post("/orders", delivery="queued", retry=Retry(attempts=5), limit=orders_db)
async def place_order(order: Order) -> Order:
    await orders.put(order)
    return order


@app.post("/orders/direct", limit=orders_db)
async def place_order_now(order: Order) -> Order:
    return await place_order(order)


@app.get("/orders/{order_id}")
async def read_order(order_id: str) -> Order:
    return await orders.get(order_id)


# What follows is there to be looked at: a limit that is reached by hand, and a failure to recover.


@app.post("/orders/slowly", limit=Limit("slowly", per_second=1))
async def place_order_slowly(order: Order) -> Order:
    return await place_order(order)


@app.post("/orders/flaky", delivery="queued", retry=Retry(base_seconds=0.5, jitter="none"))
async def place_order_flaky(order: Order, ctx: Context) -> Order:
    if ctx.attempt == 1:
        raise ConnectionError("the payment service hung up (it does so at every first attempt)")
    return await place_order(order)


@app.get("/")
async def index() -> dict[str, str]:
    return {
        "POST /orders": "queued: 202 and a job at once, the work at the database's pace",
        "POST /orders/direct": "direct: the same handler, 200 with its answer on the same call",
        "POST /orders/slowly": "direct, one a second: the next one is a 503",
        "POST /orders/flaky": "queued, and its first attempt fails",
        "GET /orders/{order_id}": "an order of the table",
        "GET /jobs/{id}": "how a queued order is doing; waits with `Prefer: wait=10`",
        "GET /jobs/{id}/result": "what the direct call would have answered",
    }

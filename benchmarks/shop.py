"""What the benchmarks serve: a typed order, accepted, and handlers that do next to nothing."""

from typing import Any

from pydantic import BaseModel

from eitherway import App, Limit


class Order(BaseModel):
    id: str
    customer: str
    sku: str
    qty: int
    price: float
    currency: str
    note: str
    t: float = 0.0


app = App("bench")
orders = app.table("orders", Order, key="id")
limit = Limit(in_flight=256)


@app.post("/orders", delivery="queued", limit=limit)
async def place_order(order: Order) -> None:
    """Nothing: what remains is accepting, claiming and settling."""


@app.post("/orders/direct", limit=limit)
async def place_order_now(order: Order) -> None:
    """Nothing, on the call."""


@app.operation(limit=limit)
async def store_order(order: Order) -> None:
    """One row of its own."""
    await orders.put(order)


async def noop(scope: Any, receive: Any, send: Any) -> None:
    """The floor: a raw ASGI application that reads the body and answers 202."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 202, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"id":"0"}'})

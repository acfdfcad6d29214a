"""FastAPI by itself: what a handler costs that does nothing, and the same typed call as ours."""

import uuid

from common import Order
from fastapi import FastAPI

app = FastAPI()


@app.post("/orders", status_code=202)
async def accept(order: Order) -> dict[str, str]:
    """The floor of every peer that is built on it."""
    return {"id": uuid.uuid4().hex}


@app.post("/orders/direct")
async def place(order: Order) -> None:
    """As `place_order_now` of `shop.py`."""

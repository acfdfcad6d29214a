"""The app of the operators' tests: an operation that is broken until a file exists."""

import os
from pathlib import Path

from pydantic import BaseModel

from eitherway import App, Limit, Reject, Retry

app = App("operated")


class Order(BaseModel):
    key: str
    amount: float = 1.0


@app.post(
    "/orders",
    delivery="queued",
    name="place_order",
    retry=Retry(attempts=1),
    limit=Limit(in_flight=256),
)
async def place_order(order: Order) -> str:
    """Fails until the database is mended; refuses what it will never take."""
    if order.amount < 0:
        raise Reject("no such amount")
    if order.amount > 1_000 or not Path(os.environ["MENDED"]).exists():
        raise ConnectionError(f"no database for order {order.key}")
    return order.key

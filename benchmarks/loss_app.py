"""What `loss` serves of ours: orders that say in a file that they ran, as the peers' do."""

import asyncio
import os

from eitherway import App
from shop import Order

app = App("loss")


@app.post("/orders", delivery="queued")
async def place_order(order: Order) -> None:
    if order.note.startswith("wait:"):
        await asyncio.sleep(float(order.note.removeprefix("wait:")))
    with open(os.environ["DONE"], "a") as done:  # noqa: ASYNC230, PTH123 - a line, on a local disk
        done.write(f"{order.id} 0\n")

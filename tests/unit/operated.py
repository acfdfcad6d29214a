"""An app whose jobs die in different ways, for the operators' tests."""

import asyncio

from pydantic import BaseModel

from eitherway import App, Reject, Retry
from eitherway.testing import TestApp


class Order(BaseModel):
    key: str
    amount: float


class Switch:
    """Whether the database works."""

    def __init__(self):
        self.broken = True
        self.ran = []


def make_app():
    """The app and its switch: a queued operation that fails while it is broken, and two others."""
    app, switch = App("operated"), Switch()

    @app.post("/orders", delivery="queued", retry=Retry(attempts=2, base_seconds=1, jitter="none"))
    async def place(order: Order) -> str:
        switch.ran.append(order.key)
        if order.amount < 0:
            raise Reject("no such amount")
        if switch.broken:
            raise ConnectionError(f"order {order.key} found no database at 10.0.0.7")
        return order.key

    @app.post("/notes", delivery="queued", retry=Retry(attempts=1), deadline_seconds=100)
    async def note(order: Order) -> None:
        raise ValueError("bad note")

    return app, switch, place, note


async def beside(test_app: TestApp, coroutine):
    """Run a coroutine to its end while the worker works."""
    task = asyncio.ensure_future(coroutine)
    while not task.done():
        await test_app.drain()
        await asyncio.sleep(0)
    return task.result()


async def kill(test_app: TestApp, handler, keys, amount=1.0):
    """Enqueue a job for each key and run them until they have ended."""
    jobs = [await test_app.enqueue(handler, Order(key=key, amount=amount)) for key in keys]
    await test_app.drain()
    await test_app.advance(5)
    await test_app.drain()
    return [job.id for job in jobs]

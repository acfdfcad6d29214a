"""FastAPI with Taskiq on JetStream; the server syncs each write."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from common import BROKER, Order, command, count, order, run
from fastapi import FastAPI
from taskiq_nats import PullBasedJetStreamBroker

broker = PullBasedJetStreamBroker([BROKER], pull_consume_batch=100, pull_consume_timeout=1)


@broker.task(task_name="handle")
async def handle(asked: dict) -> None:
    run(asked)


@asynccontextmanager
async def started(_: FastAPI) -> AsyncIterator[None]:
    await broker.startup()
    yield
    await broker.shutdown()


app = FastAPI(lifespan=started)


@app.post("/orders", status_code=202)
async def accept(order: Order) -> dict[str, str]:
    return {"id": (await handle.kiq(order.model_dump())).task_id}


async def _fill() -> None:
    await broker.startup()
    for start in range(0, count(), 100):
        some = range(start, start + 100)
        await asyncio.gather(*(handle.kiq(order(number).model_dump()) for number in some))
    await broker.shutdown()


def fill() -> None:
    asyncio.run(_fill())


def worker() -> None:
    flags = ["--workers", "1", "--max-async-tasks", "100", "--log-level", "WARNING"]
    os.execv(
        sys.executable, [sys.executable, "-m", "taskiq", "worker", "taskiq_app:broker", *flags]
    )


if __name__ == "__main__":
    command(fill=fill, worker=worker)

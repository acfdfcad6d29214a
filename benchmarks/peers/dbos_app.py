"""FastAPI with DBOS on SQLite: enqueued through its client, polled every 50 ms."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from common import BROKER, Order, command, count, order, run
from dbos import DBOS, DBOSClient, DBOSConfig
from fastapi import FastAPI

_TO = {"queue_name": "orders", "workflow_name": "handle", "app_version": "1"}


@DBOS.workflow(name="handle")
async def handle(asked: dict) -> None:
    run(asked)


@asynccontextmanager
async def started(app: FastAPI) -> AsyncIterator[None]:
    app.state.client = DBOSClient(system_database_url=BROKER, application_name="peer")
    yield
    app.state.client.destroy()


app = FastAPI(lifespan=started)


@app.post("/orders", status_code=202)
async def accept(order: Order) -> dict[str, str]:
    handle = await app.state.client.enqueue_async(_TO, order.model_dump())
    return {"id": handle.workflow_id}


def _launch() -> None:
    DBOS(
        config=DBOSConfig(
            name="peer", system_database_url=BROKER, log_level="ERROR", application_version="1"
        )
    )
    DBOS.launch()
    DBOS.register_queue("orders", polling_interval_sec=0.05, worker_concurrency=200)


def prepare() -> None:
    _launch()
    DBOS.destroy()


def fill() -> None:
    client = DBOSClient(system_database_url=BROKER, application_name="peer")
    for number in range(count()):
        client.enqueue(_TO, order(number).model_dump())
    client.destroy()


def worker() -> None:
    _launch()
    while True:
        time.sleep(60)


if __name__ == "__main__":
    command(prepare=prepare, fill=fill, worker=worker)

"""FastAPI with PgQueuer on PostgreSQL; the worker takes batches of 100."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import uvloop
from common import BROKER, Order, command, count, order, run
from fastapi import FastAPI
from pgqueuer import PgQueuer, Queries
from pgqueuer.db import AsyncpgDriver, AsyncpgPoolDriver


@asynccontextmanager
async def started(app: FastAPI) -> AsyncIterator[None]:
    pool = await asyncpg.create_pool(BROKER, min_size=8, max_size=16)
    app.state.queries = Queries(AsyncpgPoolDriver(pool))
    yield
    await pool.close()


app = FastAPI(lifespan=started)


@app.post("/orders", status_code=202)
async def accept(order: Order) -> dict[str, int]:
    (number,) = await app.state.queries.enqueue("handle", order.model_dump_json().encode())
    return {"id": number}


async def _prepare() -> None:
    connection = await asyncpg.connect(BROKER)
    await Queries(AsyncpgDriver(connection)).install()
    await connection.close()


async def _fill() -> None:
    connection = await asyncpg.connect(BROKER)
    queries = Queries(AsyncpgDriver(connection))
    for start in range(0, count(), 500):
        bodies = [order(start + number).model_dump_json().encode() for number in range(500)]
        await queries.enqueue(["handle"] * 500, bodies, [0] * 500)
    await connection.close()


async def _work() -> None:
    connection = await asyncpg.connect(BROKER)
    queuer = PgQueuer.from_asyncpg_connection(connection)

    @queuer.entrypoint("handle")
    async def handle(job: object) -> None:
        run(json.loads(job.payload))

    await queuer.run(batch_size=100)


if __name__ == "__main__":
    command(
        prepare=lambda: asyncio.run(_prepare()),
        fill=lambda: asyncio.run(_fill()),
        worker=lambda: uvloop.run(_work()),
    )

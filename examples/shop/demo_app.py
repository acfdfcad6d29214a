"""The demo's app: the shop's handler behind both doors, and a page that shows what happens.

Served with `eitherway run demo_app:app --single`: both doors share one process, so that the page's
sliders act on the one limit that both of them hold to.
"""

import asyncio
import random
import secrets
from typing import Annotated, Any, Literal

from burst import Bursts
from learning import PER_SECOND_MAX, Database, begin_at, pace_of
from page_files import PageFiles
from pydantic import BaseModel, Field
from tally import CountedApp

from eitherway import Context, Limit, Retry
from eitherway.attempt.runtime import Runtime
from eitherway.job import JobState

_JOBS_AT_ONCE = 1000  # ids in one answer
_BOOT = secrets.token_hex(4)  # tells a page that its server was started anew


class Order(BaseModel):
    order_id: str
    amount: float


class Pace(BaseModel):
    """What the page's sliders set."""

    handler_ms: int = Field(50, ge=0, le=500)
    per_second: int = Field(100, ge=10, le=PER_SECOND_MAX)
    failing_percent: int = Field(0, ge=0, le=30)
    learn: bool = False  # nobody says what the database takes: it has to be found out


class Burst(BaseModel):
    """Orders that arrive evenly over a time, the same number each way."""

    ways: list[Literal["direct", "queued"]] = Field(min_length=1, max_length=2)
    count: int = Field(500, ge=1, le=2000)
    seconds: float = Field(2.0, ge=0.1, le=60.0)


pace = Pace()


class Demo(CountedApp):
    """Begins with the number told: there is nothing to learn yet."""

    async def open(self, *arguments: Any, **settings: Any) -> Runtime:
        runtime = await super().open(*arguments, **settings)
        await begin_at(runtime, "learnt", PER_SECOND_MAX)
        return runtime


app = Demo("shop", direct="/orders/direct", queued="/orders")
orders = app.table("orders", Order, key="order_id")
orders_db = Limit("orders-db", in_flight=8, per_second=pace.per_second)
learnt = Limit("learnt", adaptive=True)
database = Database()
bursts = Bursts(app)


# The shop: one handler, and two doors to it.


@app.post(
    "/orders",
    delivery="queued",
    retry=Retry(attempts=10, base_seconds=0.5, ceiling_seconds=5),
    limit=[orders_db, learnt],
)
async def place_order(order: Order, ctx: Context) -> Order:
    with app.queued.attempt(ctx.attempt):
        return await _place(order)


@app.post("/orders/direct", limit=orders_db)
async def place_order_now(order: Order) -> Order:
    with app.direct.attempt():
        return await _place(order)


async def _place(order: Order) -> Order:
    if pace.learn:
        database.take(pace.per_second)
    await asyncio.sleep(pace.handler_ms / 1000)
    if random.random() * 100 < pace.failing_percent:  # noqa: S311 - bad luck, no secret
        raise ConnectionError("the payment service hung up")
    await orders.put(order)
    return order


@app.get("/orders/{order_id}")
async def read_order(order_id: str) -> Order:
    return await orders.get(order_id)


# The page's own: it sets the pace, sends bursts, and reads what became of them.


@app.get("/demo/settings")
async def read_settings() -> Pace:
    return pace


@app.put("/demo/settings")
async def change_settings(wanted: Pace) -> Pace:
    global pace  # noqa: PLW0603 - one page, one pace
    told = PER_SECOND_MAX if wanted.learn else wanted.per_second
    app.runtime.limiter.adjust("orders-db", per_second=told)
    if wanted.learn != pace.learn:
        await begin_at(app.runtime, "learnt", None if wanted.learn else PER_SECOND_MAX)
    pace = wanted
    return pace


@app.post("/demo/bursts")
async def send_burst(burst: Burst) -> Burst:
    for way in burst.ways:
        bursts.send(app.tally(way).path, burst.count, burst.seconds)
    return burst


@app.get("/demo/state")
async def read_state(after: Annotated[int, Field(ge=0)] = 0) -> dict[str, Any]:
    """Counts of both ways, and the jobs accepted since the `after` of an earlier answer.

    Job ids are what one asks and subscribes with: this is for a demo on one's own machine.
    """
    jobs, following = app.queued.jobs_after(after, _JOBS_AT_ONCE)
    return {
        "boot": _BOOT,
        "settings": pace,
        "learnt": await pace_of(app.runtime, "learnt") if pace.learn else None,
        "direct": {**app.direct.counts(), "committed": app.direct.accepted},
        "queued": {**app.queued.counts(), **await _queue_counts()},
        "jobs": jobs,
        "next": following,
    }


async def _queue_counts() -> dict[str, int]:
    """Where the engine says the queued orders are."""
    for statistics in await app.runtime.engine.statistics():
        if statistics.operation == "place_order":
            count = statistics.counts.get
            waiting = (JobState.QUEUED, JobState.SCHEDULED, JobState.RETRYING)
            return {
                "waiting": sum(count(state, 0) for state in waiting),
                "running": count(JobState.RUNNING, 0),
                "committed": count(JobState.SUCCEEDED, 0),
                "dead": statistics.dead,
            }
    return {"waiting": 0, "running": 0, "committed": 0, "dead": 0}


app.mount("/", PageFiles())

"""The app that the acceptance tests serve: one operation per thing that can go wrong."""

import asyncio
import os
import signal
import time
from pathlib import Path

from pydantic import BaseModel

from eitherway import App, Context, Limit, NotFound, Reject, Retry, RetryLater

LEASE_SECONDS = 1.0


class Step(BaseModel):
    key: str
    note: str = ""


app = App("acceptance")
counters = app.table("counters", dict, key="key")
runs = app.table("runs", dict, key="key")


async def add(table_key: str, amount: int) -> int:
    counter = await counters.get(table_key, {"key": table_key, "value": 0})
    counter["value"] += amount
    await counters.put(counter)
    return counter["value"]


async def add_one(table_key: str) -> int:
    return await add(table_key, 1)


@app.post("/increments", delivery="queued", lease_seconds=LEASE_SECONDS, status=201)
async def increment(step: Step, ctx: Context) -> str:
    """Adds one to a counter and leaves a row of its own: both once, however often it is run."""
    await add_one(step.note)
    await runs.put({"key": step.key, "job": ctx.job_id}, if_absent=True)
    return step.key


@app.get("/counters/{key}")
async def read_counter(key: str) -> int:
    return (await counters.get(key))["value"]


@app.get("/runs/{key}")
async def read_run(key: str) -> str:
    return (await runs.get(key))["job"]


@app.post(
    "/mixed",
    delivery="queued",
    lease_seconds=LEASE_SECONDS,
    retry=Retry(attempts=5, base_seconds=0.01),
)
async def mixed(step: Step) -> str:
    """Good jobs, and one that kills its process whenever it runs."""
    if step.note == "poison":
        os._exit(13)
    await add_one("mixed")
    return step.key


@app.post(
    "/batched",
    delivery="queued",
    lease_seconds=LEASE_SECONDS,
    batch_max=100,
    batch_wait_seconds=0.25,
)
async def add_batch(steps: list[Step], ctx: Context) -> list[str]:
    """Adds one to a counter for each item, and the number of all to one for the batch."""
    await add("batched-all", len(steps))
    for index, step in enumerate(steps):
        with ctx.item(index):
            await add(f"batched-{step.note}", 1)
    return [step.key for step in steps]


@app.post("/slow", delivery="queued", lease_seconds=LEASE_SECONDS)
async def slow(step: Step, ctx: Context) -> int:
    """Says that it runs, then waits until the file named in its note exists."""
    ctx.progress(0.5, f"in {os.getpid()}")
    while not await asyncio.to_thread(Path(step.note).exists):
        await asyncio.sleep(0.02)
    return os.getpid()


@app.post("/either", delivery="auto", lease_seconds=LEASE_SECONDS)
async def either(step: Step) -> str:
    """Takes as many seconds as its note says, and leaves a row that can be made once."""
    await runs.put({"key": step.key, "job": ""}, if_absent=True)
    await asyncio.sleep(float(step.note))
    return step.key


@app.post("/held", delivery="auto", lease_seconds=LEASE_SECONDS)
async def held(step: Step) -> str:
    """Adds one to a counter, then waits until the file named in its note exists."""
    await add_one(step.key)
    while not await asyncio.to_thread(Path(step.note).exists):
        await asyncio.sleep(0.02)
    return step.key


@app.post("/plain", delivery="queued", lease_seconds=LEASE_SECONDS)
def plain(step: Step) -> str:
    """A plain function: outlives several leases while it blocks its thread."""
    time.sleep(float(step.note))
    return step.key


@app.post("/flaky", delivery="queued", retry=Retry(attempts=3, base_seconds=0.01))
async def flaky(step: Step, ctx: Context) -> int:
    if ctx.attempt < 3:
        raise RuntimeError("a secret of the inside")
    return ctx.attempt


@app.post("/one-at-a-time", limit=Limit(in_flight=1), timeout_seconds=5)
async def one_at_a_time(step: Step) -> str:
    while not await asyncio.to_thread(Path(step.note).exists):
        await asyncio.sleep(0.02)
    return step.key


async def answers(step: Step) -> Step:
    """Succeeds, or answers in every other way, as its note says."""
    match step.note:
        case "reject":
            raise Reject("no such customer", status=409)
        case "missing":
            raise NotFound("gone")
        case "later":
            raise RetryLater(3)
        case "error":
            raise RuntimeError("a secret of the inside")
        case "late":
            await asyncio.sleep(5)
    return step


app.post("/answers/direct", name="answers_direct", timeout_seconds=0.2)(answers)
app.post(
    "/answers/queued",
    name="answers_queued",
    delivery="queued",
    timeout_seconds=0.2,
    retry=Retry(attempts=1),
)(answers)


@app.post("/die", limit=Limit(in_flight=1))
async def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@app.post("/listed")
async def listed(steps: list[Step]) -> int:
    return len(steps)

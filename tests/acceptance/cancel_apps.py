"""What the tests of canceling serve: work that takes a moment, writes, and can be stopped."""

import asyncio
import threading
from pathlib import Path

from pydantic import BaseModel

from eitherway import App, Context, Limit

app = App("canceling")
rows = app.table("rows", dict, key="job")
totals = app.table("totals", dict, key="key")
three = Limit("three", in_flight=3)


class Task(BaseModel):
    seconds: float = 0.0
    folder: str = ""


@app.post("/work", delivery="queued", limit=three, lease_seconds=2)
async def work(task: Task, ctx: Context) -> str:
    """A row of its own, and one more in a counter that all share."""
    await asyncio.sleep(task.seconds)
    await rows.put({"job": ctx.job_id})
    total = await totals.get("all", {"key": "all", "count": 0})
    await totals.put({"key": "all", "count": total["count"] + 1})
    return ctx.job_id


@app.post("/hang", delivery="queued", limit=Limit("one", in_flight=1))
async def hang(task: Task, ctx: Context) -> None:
    """Says when it begins, and when it is stopped."""
    folder = Path(task.folder)
    (folder / f"{ctx.job_id}.began").touch()
    try:
        await asyncio.Event().wait()
    finally:
        (folder / f"{ctx.job_id}.{'stopped' if ctx.canceled else 'left'}").touch()


@app.post("/grind", delivery="queued", limit=Limit("mill", in_flight=1))
def grind(task: Task, ctx: Context) -> None:
    """A plain handler that looks whether anybody still waits for it."""
    folder = Path(task.folder)
    (folder / f"{ctx.job_id}.began").touch()
    while not ctx.canceled:
        threading.Event().wait(0.01)
    (folder / f"{ctx.job_id}.stopped").touch()


@app.get("/total")
async def total() -> int:
    return (await totals.get("all", {"count": 0}))["count"]


@app.get("/rows/{job}")
async def row(job: str) -> bool:
    return await rows.get(job, None) is not None

"""The app that the acceptance tests serve on AWS: a job that waits, and leaves a row of its own."""

import asyncio
from pathlib import Path

from pydantic import BaseModel

from eitherway import App, Context


class Step(BaseModel):
    key: str
    gate: str


app = App("moved")
runs = app.table("runs", dict, key="key")


@app.post("/slow", delivery="queued", lease_seconds=1.0)
async def slow(step: Step, ctx: Context) -> int:
    """Waits until the file named in its gate exists, then writes its row: once."""
    await runs.put({"key": step.key, "job": ctx.job_id}, if_absent=True)
    while not await asyncio.to_thread(Path(step.gate).exists):
        await asyncio.sleep(0.02)
    return ctx.attempt


@app.get("/runs/{key}")
async def read_run(key: str) -> str:
    return (await runs.get(key))["job"]

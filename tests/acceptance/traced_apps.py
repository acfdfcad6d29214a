"""The app of the acceptance test of traces: each attempt writes down what it sees."""

import asyncio
from pathlib import Path

from pydantic import BaseModel

from eitherway import App, Context, Retry

app = App("traced")


class Note(BaseModel):
    file: str


def note(name: str, wanted: Note, ctx: Context) -> int:
    """Adds a line to the file; gives how many there are of this name."""
    file = Path(wanted.file)
    with file.open("a") as lines:
        state = ctx.headers.get("tracestate", "")
        lines.write(f"{name} {ctx.job_id} {ctx.headers['traceparent']} {state}\n")
    return sum(line.startswith(f"{name} ") for line in file.read_text().splitlines())


@app.operation(lease_seconds=1)
async def after(wanted: Note, ctx: Context) -> None:
    note("after", wanted, ctx)


@app.post("/first", delivery="queued", lease_seconds=1, retry=Retry(base_seconds=0.01))
async def first(wanted: Note, ctx: Context) -> None:
    """Hangs when it runs for the first time, fails the second, and succeeds the third."""
    times = note("first", wanted, ctx)
    if times == 1:
        await asyncio.Event().wait()
    if times == 2:
        raise RuntimeError("again")
    await ctx.enqueue(after, wanted)


@app.post("/now")
async def now(wanted: Note, ctx: Context) -> None:
    note("now", wanted, ctx)
    await ctx.enqueue(after, wanted)

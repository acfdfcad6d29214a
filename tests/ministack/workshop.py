"""An app for the stack in MiniStack: what is promised of one machine, asked of a stack."""

import asyncio
import os
import signal
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from eitherway import App, Context, Limit, Reject, Retry

FOLDER = Path(os.environ.get("WORKSHOP_FOLDER", "."))


class Thing(BaseModel):
    """Of such types that it could come out differently."""

    name: str
    weight: float
    price: Decimal
    count: int
    made: datetime
    tags: dict[str, list[str | int | None]] = {}


class Job(BaseModel):
    name: str


class Label(BaseModel):
    """Version 1 had a `text`; version 2 has `words`."""

    name: str
    words: list[str]


class Count(BaseModel):
    name: str
    total: int


app = App("workshop")
counts = app.table("counts", Count, key="name")
started = Limit("started", in_flight=50, per_second=5)


async def make(thing: Thing) -> Thing:
    if thing.count < 0:
        raise Reject(f"no {thing.name}", status=409)
    return thing


app.post("/things", name="make_now", status=201)(make)
app.post("/things/queued", name="make_later", status=201, delivery="queued")(make)
app.post("/things/stored", name="make_stored", status=201, delivery="queued", accept="function")(
    make
)


def mark(name: str, text: str = "x") -> int:
    """Add a line to a file; which one that is."""
    with (FOLDER / name).open("a") as lines:
        lines.write(f"{text}\n")
    return len((FOLDER / name).read_text().splitlines())


@app.post("/endless", delivery="queued", timeout_seconds=60)
async def endless(job: Job) -> int:
    """Never ends at its first start; at others at once."""
    starts = mark(job.name)
    if starts == 1:
        await asyncio.Event().wait()
    return starts


@app.post("/ordered", delivery="queued", timeout_seconds=60)
async def ordered(job: Job) -> int:
    """Tells its process to end at its first start, as whoever stops an environment does."""
    starts = mark(job.name)
    if starts == 1:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()
    return starts


@app.post("/tallies", delivery="queued", batch_max=5, retry=Retry(attempts=1))
async def tally(jobs: list[Job]) -> list[str | Exception]:
    """How many came together; those called "bad" are refused."""
    return [Reject("bad") if job.name == "bad" else f"{len(jobs)} {job.name}" for job in jobs]


def upgrade_label(body: Any, version: int) -> Any:
    if version < 2:
        body["words"] = body.pop("text").split()
    return body


@app.post("/labels", delivery="queued", version=2, upgrade=upgrade_label)
async def label(wanted: Label) -> Label:
    mark(f"label-{wanted.name}")
    return wanted


@app.post("/paced", delivery="queued", limit=started)
async def pace(job: Job) -> str:
    return job.name


@app.post("/counted", lease_seconds=1, timeout_seconds=10, idempotency_key="required")
async def count(job: Job, ctx: Context) -> Count:
    """Adds one; at its first start its process dies before that is committed."""
    found = await counts.get(job.name, Count(name=job.name, total=0))
    counted = Count(name=job.name, total=found.total + 1)
    await counts.put(counted)
    if mark(job.name, ctx.job_id) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return counted


@app.get("/counts/{name}")
async def read_count(name: str) -> Count:
    return await counts.get(name, Count(name=name, total=0))

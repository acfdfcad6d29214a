"""What the tests of limits serve: handlers that say when they began and when they ended."""

import asyncio
import random
import time
from pathlib import Path

from pydantic import BaseModel

from eitherway import App, Limit, Retry

app = App("limited")

LEASE_SECONDS = 2.0
again = Retry(attempts=20, base_seconds=0.05, ceiling_seconds=0.5)
log = app.table("log", dict, key="id")


class Call(BaseModel):
    key: str = ""
    seconds: float = 0.0
    until: str = ""
    fails: int = 0


class Span(BaseModel):
    """When a handler ran, by the clock that all processes share."""

    key: str
    began: float
    ended: float


async def spend(call: Call) -> Span:
    began = time.monotonic()
    await asyncio.sleep(call.seconds)
    while call.until and not await asyncio.to_thread(Path(call.until).exists):
        await asyncio.sleep(0.02)
    return Span(key=call.key, began=began, ended=time.monotonic())


five = Limit("five", in_flight=5)
two_each = Limit("two-each", in_flight=2, key=lambda call: call.key)

app.post("/rated", name="rated", delivery="queued", limit=Limit("rated", per_second=100))(spend)

for route, limit in (("five", five), ("keyed", two_each), ("both", [five, two_each])):
    settings = {"limit": limit, "lease_seconds": LEASE_SECONDS, "retry": again}
    app.post(f"/{route}/queued", name=f"{route}_queued", delivery="queued", **settings)(spend)
    app.post(f"/{route}/direct", name=f"{route}_direct", **settings)(spend)

one = Limit("one", in_flight=1)
app.post("/one", name="one", delivery="queued", limit=one, lease_seconds=15)(spend)
app.post("/one/direct", name="one_direct", limit=one)(spend)

sheets = app.table("sheets", dict, key="account")


class Entry(BaseModel):
    account: str
    number: int


@app.post(
    "/entries",
    delivery="queued",
    group=lambda entry: entry.account,
    lease_seconds=LEASE_SECONDS,
    retry=again,
)
async def enter(entry: Entry) -> Span:
    """Appends to the account's sheet, and fails now and then, before its commit."""
    began = time.monotonic()
    sheet = await sheets.get(entry.account, {"account": entry.account, "numbers": []})
    await sheets.put({**sheet, "numbers": [*sheet["numbers"], entry.number]})
    await asyncio.sleep(0.005)
    if random.random() < 0.1:
        raise ConnectionError("the line went dead")
    return Span(key=entry.account, began=began, ended=time.monotonic())


@app.get("/sheets/{account}")
async def read_sheet(account: str) -> list[int]:
    return (await sheets.get(account))["numbers"]

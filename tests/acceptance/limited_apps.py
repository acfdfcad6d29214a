"""What the tests of limits serve: handlers that say when they began and when they ended."""

import asyncio
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

app.post("/one", name="one", delivery="queued", limit=Limit("one", in_flight=1), lease_seconds=15)(
    spend
)

"""Version 2 of `deploy_old`: amounts in cents, and one operation more."""

from typing import Any

from pydantic import BaseModel

from eitherway import App, Context

app = App("rolled")
runs = app.table("runs", dict, key="key")


class Order(BaseModel):
    key: str
    cents: int


def upgrade_order(body: Any, version: int) -> Any:
    assert version == 1
    return {"key": body["key"], "cents": round(body["euros"] * 100)}


@app.post("/orders", delivery="queued", lease_seconds=5, version=2, upgrade=upgrade_order)
async def place(order: Order, ctx: Context) -> str:
    row = {"key": order.key, "cents": order.cents, "by": "new", "job": ctx.job_id}
    await runs.put(row, if_absent=True)
    return "new"


@app.post("/receipts", delivery="queued", lease_seconds=5)
async def print_receipt(order: Order, ctx: Context) -> str:
    row = {"key": order.key, "cents": order.cents, "by": "new", "job": ctx.job_id}
    await runs.put(row, if_absent=True)
    return "new"


@app.get("/runs/{key}")
async def read_run(key: str) -> dict[str, Any]:
    return await runs.get(key)

"""Version 1 of an app: amounts in euros. `deploy_new` is what is rolled out over it."""

from pydantic import BaseModel

from eitherway import App, Context

app = App("rolled")
runs = app.table("runs", dict, key="key")


class Order(BaseModel):
    key: str
    euros: float


@app.post("/orders", delivery="queued", lease_seconds=5)
async def place(order: Order, ctx: Context) -> str:
    """Leaves a row of its own: a second run of the same order would fail."""
    row = {"key": order.key, "cents": round(order.euros * 100), "by": "old", "job": ctx.job_id}
    await runs.put(row, if_absent=True)
    return "old"

"""Apps for the tests of `eitherway aws`: plain ones, and one with everything that AWS can hold."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from eitherway import App, Context, Limit, Retry
from eitherway.auth import ApiKeys
from eitherway.aws.plan import Plan
from eitherway.aws.template import template
from eitherway.settings import Settings

ROOT = Path(__file__).parents[2]


class Order(BaseModel):
    order_id: str = Field(min_length=1, max_length=200)
    amount: float


class Line(BaseModel):
    article: str
    count: Annotated[int, Field(gt=0)]
    kind: Literal["gift", "sale"] = "sale"


class Basket(BaseModel):
    lines: list[Line]
    note: str | None = None


def shop() -> App:
    """That of examples/shop, a fresh one."""
    spec = importlib.util.spec_from_file_location("shop", ROOT / "examples" / "shop" / "shop.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.app


def small(**policies: Any) -> App:
    """One operation of these policies, and another one beside it."""
    app = App("small")
    orders = app.table("orders", Order, key="order_id")

    @app.post("/orders", **policies)
    async def place_order(order: Order) -> Order:
        await orders.put(order)
        return order

    @app.get("/orders/{order_id}")
    async def read_order(order_id: str) -> Order:
        return await orders.get(order_id)

    return app


def rich() -> App:
    """Nearly everything that an app can declare, and AWS hold."""
    app = App("rich.app")
    app.table("baskets", Basket, key="note", write_capacity=50)
    app.table("orders", Order, key="order_id", write_capacity=100)

    @app.put("/baskets/{basket_id}", delivery="queued", retry=Retry(attempts=9))
    async def fill(basket_id: str, basket: Basket, ctx: Context, note: str, dry: bool = False): ...

    @app.post("/baskets/{other}/checkout", delivery="auto", timeout_seconds=10)
    async def check_out(other: str, basket: Basket | None = None): ...

    @app.post("/imports", delivery="queued", batch_max=100, limit=Limit(in_flight=400))
    async def take_in(lines: list[Line]) -> list[None]: ...

    @app.post("/mails", delivery="queued", wait_seconds=20, limit=Limit("mail", per_second=0.5))
    async def send_mail(order: Order): ...

    @app.post("/pays", delivery="queued", idempotency_key="required", timeout_seconds=300)
    async def pay(order: Order): ...

    @app.post("/pings", delivery="queued", accept="gateway", limit=Limit(adaptive=True))
    async def ping(): ...

    @app.get("/files/{name:path}", timeout_seconds=5)
    async def read_file(name: str) -> str: ...

    @app.operation(deadline_seconds=1_000_000)
    async def tidy_up(): ...

    return app


def guarded() -> App:
    """One whose callers show a key."""
    app = App("guarded", auth=ApiKeys())

    @app.post("/orders", delivery="queued")
    async def place_order(order: Order): ...

    return app


def plan_of(
    app: App, stack: str = "shop", *, environment: Sequence[str] = (), **settings: Any
) -> Plan:
    return Plan(app, stack, Settings(**settings), environment)


def template_of(app: App, stack: str = "shop", **more: Any) -> dict[str, Any]:
    """The template, as it is read from its file."""
    made = template(
        plan_of(app, stack, **more),
        "shop:app",
        runtime="python3.13",
        architecture="arm64",
        code_key="code.zip",
    )
    return json.loads(json.dumps(made))


def of_type(document: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """The properties of the resources of a type, by name."""
    found = document["Resources"].items()
    return {name: one["Properties"] for name, one in found if one["Type"] == f"AWS::{kind}"}

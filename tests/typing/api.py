"""The public API as type checkers see it: never run, checked by mypy and by pyright, both strict.

Every line that ends in two ignores is a mistake that both must report: an ignore that hides nothing
is an error of its own.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, assert_type

from fastapi import Depends as FastApiDepends
from fastapi import FastAPI
from pydantic import BaseModel, TypeAdapter
from sqlalchemy import Connection, Engine
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession
from sqlalchemy.orm import Session
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware

from eitherway import (
    App,
    BacklogFullError,
    Context,
    Depends,
    Job,
    JobState,
    Limit,
    Reject,
    Retry,
    Router,
    Table,
)
from eitherway.client import AsyncClient, AsyncJob, Client, Event
from eitherway.client import Job as RemoteJob
from eitherway.cors import cors_options
from eitherway.job import JobRecord
from eitherway.sql import create_once_table, forget, observe, once
from eitherway.testing import Response, TestApp


class Order(BaseModel):
    """What is ordered."""

    order_id: str
    amount: float


@dataclass
class Line:
    """A part of an order."""

    order_id: str
    sku: str


class Receipt(BaseModel):
    """What the customer gets."""

    order_id: str


app = App("shop")
orders = app.table("orders", Order, key="order_id")
notes = app.table("notes", dict[str, Any], key="order_id")
lines = app.table(
    "lines", Line, key="sku", partition="order_id", write_capacity=50, write_burst_seconds=0
)
orders_db = Limit("orders-db", in_flight=8, per_second=200)
MIDNIGHT = datetime(2027, 1, 1, tzinfo=UTC)


@app.post("/orders", delivery="queued", retry=Retry(attempts=5), limit=orders_db)
async def place_order(order: Order) -> Order:
    await orders.put(order)
    return order


@app.post("/receipts", limit=[orders_db, Limit(per_second=5)])
def print_receipt(order: Order) -> Receipt:
    orders.sync.put(order)
    return Receipt(order_id=order.order_id)


@app.post("/parcels", delivery="auto", wait_seconds=5, callbacks=["https://hooks.example.com/"])
async def send_parcel(order: Order) -> None: ...


@app.operation(name="announce", timeout_seconds=5)
async def announce(ctx: Context, order_id: str, loud: bool = False) -> None:
    ctx.progress(0.5, "half way")


@app.operation()
def count_words(ctx: Context, text: str) -> int:
    return len(text.split())


def to_cents(body: Any, version: int) -> Any:
    return {"order_id": body["order_id"], "amount": body["amount"] / 100}


@app.post(
    "/bills", delivery="queued", backlog_max=1_000, wait_seconds=10, version=2, upgrade=to_cents
)
async def send_bill(order: Order) -> None: ...


@app.post("/payments", idempotency_key="required")
async def pay(order: Order) -> None: ...


@app.operation()
async def remind(order_id: str, at: str) -> None:
    """Keeps its own parameter `at`."""


@app.put("/orders/{order_id}")
async def correct_order(ctx: Context, order: Order, order_id: str) -> Order:
    assert_type(ctx.enqueue(place_order, order), Job[Order])
    assert_type(await ctx.enqueue(print_receipt, order), Job[Receipt])
    assert_type(ctx.enqueue(announce, order_id, loud=True), Job[None])
    assert_type(ctx.enqueue(count_words, "two words"), Job[int])
    ctx.enqueue(place_order, order_id)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType, reportCallIssue]
    assert_type(ctx.enqueue(place_order, order, delay_seconds=60), Job[Order])
    assert_type(await ctx.enqueue(count_words, "two words", at=MIDNIGHT), Job[int])
    ctx.enqueue(place_order, order, delay_seconds="soon")  # type: ignore[arg-type, call-arg]  # pyright: ignore[reportCallIssue]
    ctx.enqueue(announce)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    return order


@app.post("/receipts/many", delivery="queued", batch_max=100, batch_wait_seconds=0.05)
async def store(rows: list[Order]) -> list[Receipt]:
    return [Receipt(order_id=row.order_id) for row in rows]


@app.operation(batch_max=10)
async def try_to_store(ctx: Context, rows: list[Order]) -> list[Receipt | BaseException]:
    with ctx.item(0) as one:
        assert_type(one, Context)
        assert_type(one.enqueue(store, rows[0]), Job[Receipt])
    assert_type(ctx.enqueue(store, rows[0]), Job[Receipt])
    assert_type(await ctx.enqueue(count_all, rows[0]), Job[int])
    ctx.enqueue(store, "a")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType, reportCallIssue]
    return [ValueError("no"), Receipt(order_id="a")]


@app.operation(batch_max=10)
def count_all(rows: Sequence[Order]) -> list[int | Exception]:
    return [len(row.order_id) for row in rows]


@app.operation(batch_max=10)
def count_some(ctx: Context, texts: list[str]) -> list[int | Exception]:
    return [Reject("no") if not text else len(text) for text in texts]


# A decorated handler stays what it was.
as_batch_function: Callable[[list[Order]], Awaitable[list[Receipt]]] = store
as_function: Callable[[Order], Awaitable[Order]] = place_order
as_plain_function: Callable[[Order], Receipt] = print_receipt


async def enqueueing(order: Order) -> None:
    job = await app.enqueue(place_order, order)
    assert_type(job, Job[Order])
    assert_type(job.id, str)
    assert_type(await job.result(), Order)
    assert_type(await job.result(timeout_seconds=5), Order)
    assert_type(await job.status(), JobState)
    assert_type(await job.record(), JobRecord)
    assert_type(await job.cancel(), bool)
    assert_type(await app.enqueue(print_receipt, order), Job[Receipt])
    assert_type(await app.enqueue(announce, "a", loud=True), Job[None])
    assert_type(await (await app.enqueue(count_words, "two words")).result(), int)
    assert_type(await app.enqueue(place_order, order, delay_seconds=60), Job[Order])
    assert_type(await app.enqueue(print_receipt, order, delay_seconds=0.5), Job[Receipt])
    assert_type(await app.enqueue(announce, "a", at=MIDNIGHT, loud=True), Job[None])
    assert_type(await app.enqueue(count_words, "two words", at=MIDNIGHT), Job[int])
    assert_type(await app.enqueue(remind, "a", at="noon"), Job[None])
    await app.enqueue(place_order, order, delay_seconds="soon")  # type: ignore[arg-type, call-arg]  # pyright: ignore[reportCallIssue]
    await app.enqueue(place_order, order, at="noon")  # type: ignore[arg-type, call-arg]  # pyright: ignore[reportCallIssue]
    await app.enqueue(place_order, order, at=1_800_000_000)  # type: ignore[arg-type, call-arg]  # pyright: ignore[reportCallIssue]
    await app.enqueue(place_order, "a")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType, reportCallIssue]
    await app.enqueue(place_order)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    await app.enqueue(announce, "a", quiet=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await app.enqueue("place_order", order)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]


async def enqueueing_items(order: Order) -> None:
    assert_type(await app.enqueue(store, order), Job[Receipt])
    assert_type(await app.enqueue(try_to_store, order), Job[Receipt])
    assert_type(await (await app.enqueue(count_all, order)).result(), int)
    assert_type(await app.enqueue(count_some, "a"), Job[int])
    assert_type(await app.enqueue(store, order, delay_seconds=5), Job[Receipt])
    assert_type(await app.enqueue(try_to_store, order, at=MIDNIGHT), Job[Receipt])
    await app.enqueue(store, "a")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType, reportCallIssue]
    await app.enqueue(count_all, 5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType, reportCallIssue]
    await app.enqueue(store)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]


async def too_many(order: Order) -> None:
    try:
        await app.enqueue(send_bill, order)
    except BacklogFullError as error:
        assert_type(error.retry_after_seconds, float)


async def tables(order: Order) -> None:
    assert_type(orders, Table[Order])
    assert_type(await orders.get("a"), Order)
    assert_type(await orders.get("a", None), Order | None)
    assert_type(await orders.get("a", 0, check=True), Order | int)
    assert_type(await orders.version("a"), int)
    assert_type(await notes.get("a"), dict[str, Any])
    assert_type(orders.sync.get("a"), Order)
    assert_type(orders.sync.get("a", None), Order | None)
    await orders.put(order, if_absent=True)
    await orders.put(order, if_version=3)
    await orders.delete("a")
    assert_type(lines, Table[Line])
    assert_type(await lines.get("a", partition="o"), Line)
    assert_type(await lines.get("a", None, partition="o", check=True), Line | None)
    assert_type(await lines.version("a", partition="o"), int)
    await lines.delete("a", partition="o", if_version=1)
    assert_type(lines.query("a", partition="o", after="ab", limit=9), AsyncIterator[Line])
    assert_type([line.sku async for line in lines.query(partition="o")], list[str])
    assert_type(lines.sync.query("a", partition="o"), Iterator[Line])
    assert_type(lines.sync.get("a", partition="o"), Line)
    lines.sync.delete("a", partition="o")
    lines.query("a", "o")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    app.table("a", Line, key="sku", capacity=5)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await orders.put("a")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await orders.get(1)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    orders.sync.put(Receipt(order_id="a"))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def testing(order: Order) -> None:
    async with TestApp(app) as shop:
        assert_type(shop, TestApp)
        assert_type(await shop.call(place_order, order), Order)
        assert_type(await shop.call(print_receipt, order), Receipt)
        assert_type(await shop.call(announce, "a"), None)
        assert_type(await shop.enqueue(count_words, "two words"), Job[int])
        assert_type(await shop.enqueue(count_words, "two words", delay_seconds=1), Job[int])
        assert_type(await shop.enqueue(place_order, order, at=MIDNIGHT), Job[Order])
        assert_type(await shop.request("POST", "/orders", json={}), Response)
        assert_type(await shop.drain(), int)
        assert_type(await shop.call(store, order), Receipt)
        assert_type(await shop.call(count_some, "a"), int)
        assert_type(await shop.enqueue(try_to_store, order), Job[Receipt])
        await shop.call(store, "a")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType, reportCallIssue]
        await shop.call(place_order, "a")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType, reportCallIssue]


async def calling(order: Order, order_id: str) -> None:
    async with AsyncClient("https://shop.example", token="t", headers={"x-a": "b"}) as shop:
        assert_type(shop, AsyncClient)
        assert_type(await shop.call("POST", "/orders", json=order, result=Order), Order)
        assert_type(await shop.call("GET", "/orders", result=list[Order]), list[Order])
        maybe = TypeAdapter[Order | None](Order | None)
        assert_type(await shop.call("GET", "/orders/a", result=maybe), Order | None)
        assert_type(await shop.call("GET", "/orders/a"), Any)
        job = await shop.submit("POST", "/orders", json=order, result=Order, idempotency_key="k")
        assert_type(job, AsyncJob[Order])
        assert_type(job.id, str | None)
        assert_type(await job.result(timeout_seconds=30), Order)
        assert_type(await job.status(), JobState)
        assert_type(await job.document(), dict[str, Any])
        assert_type(await job.cancel(), bool)
        assert_type([event async for event in job.events()], list[Event])
        assert_type(await shop.submit("POST", "/orders"), AsyncJob[Any])
        assert_type(shop.job(order_id, result=Receipt), AsyncJob[Receipt])
        assert_type(shop.job(order_id), AsyncJob[Any])
        shop.job(1)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
        await shop.call("POST", "/orders", body=order)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
        await shop.call("POST", "/orders", result=order)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
        await shop.submit("POST", "/orders", timeout_seconds=5)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]


def calling_from_plain_code(order: Order, order_id: str) -> None:
    with Client("https://shop.example", token="t", wait_seconds=5) as shop:
        assert_type(shop, Client)
        assert_type(shop.call("POST", "/orders", json=order, result=Order), Order)
        assert_type(shop.call("POST", "/orders", timeout_seconds=5), Any)
        job = shop.submit("POST", "/orders", json=order, result=Order)
        assert_type(job, RemoteJob[Order])
        assert_type(job.result(timeout_seconds=30), Order)
        assert_type(job.events(), Iterator[Event])
        assert_type(job.status(), JobState)
        assert_type(job.cancel(), bool)
        assert_type(shop.job(order_id, result=Receipt), RemoteJob[Receipt])
        shop.call("POST", "/orders", body=order)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    Client("https://shop.example", tokens="t")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


async def charge(session: AsyncSession, order: Order, twice: bool = False) -> Receipt:
    return Receipt(order_id=order.order_id)


def refund(session: Session, order: Order) -> None: ...


async def own_database(ctx: Context, session: AsyncSession, order: Order) -> None:
    assert_type(await once(ctx, session, charge, session, order), Receipt)
    assert_type(await once(ctx, session, charge, session, order, twice=True), Receipt)
    assert_type(await once(ctx, session, charge, session, order, name="charge"), Receipt)
    assert_type(await forget(session, older_than_seconds=30 * 86_400), int)
    await once(ctx, session, charge, session)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    await once(ctx, session, charge, session, "a")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
    await once(ctx, session, refund, session, order)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]


def own_plain_database(ctx: Context, session: Session, order: Order) -> None:
    once(ctx, session, refund, session, order)
    assert_type(once(ctx, session, len, "two words"), int)
    assert_type(once(ctx, session, len, "two words", name="length"), int)
    assert_type(forget(session, older_than_seconds=30 * 86_400), int)
    once(ctx, session, refund, session, "a")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]


async def migrating(
    engine: AsyncEngine, connection: AsyncConnection, plain: Engine, transaction: Connection
) -> None:
    observe(engine)
    observe(plain)
    await create_once_table(engine)
    await create_once_table(connection)
    assert_type(create_once_table(plain), None)
    assert_type(create_once_table(transaction), None)


def declaring(router: Router) -> None:
    router.post("/orders", delivery="sometimes")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    router.post("/orders", retry=5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    router.post("/orders", retries=5)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    router.post("/orders", batch_max="many")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    router.post("/orders", limit=8)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    router.post("/orders", backlog_max="many")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    router.post("/orders", delivery="queued", callbacks=True)
    router.post("/orders", callbacks=1.5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    router.post("/orders", idempotency_key="always")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    router.post("/orders", version=2, upgrade=str.upper)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Retry(jitter="some")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Limit(8)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def get_session() -> AsyncIterator[AsyncSession]:
    yield AsyncSession()


def get_plain_session() -> Iterator[Session]:
    yield Session()


async def get_rate(ctx: Context) -> float:
    return float(ctx.headers["x-rate"])


class Page:
    """A class that is a dependency."""

    def __init__(self, number: int = 1) -> None:
        self.number = number


@app.post("/sold", delivery="queued")
async def sell(
    order: Order,
    session: AsyncSession = Depends(get_session),
    plain: Session = Depends(get_plain_session),
    rate: float = Depends(get_rate),
    page: Page = Depends(Page),
) -> Receipt:
    session.add(order)
    return Receipt(order_id=order.order_id)


@app.post("/returned", delivery="queued")
async def take_back(
    order: Order,
    session: Annotated[AsyncSession, Depends(get_session)],
    page: Annotated[Page, FastApiDepends()],
) -> Receipt:
    session.add(page)
    return Receipt(order_id=order.order_id)


def wrongly(
    session: Session = Depends(get_session),  # type: ignore[assignment]  # pyright: ignore[reportArgumentType]
    rate: str = Depends(get_rate),  # type: ignore[assignment]  # pyright: ignore[reportArgumentType]
) -> None: ...


assert_type(Depends(get_session), AsyncSession)
assert_type(Depends(get_plain_session), Session)
assert_type(Depends(get_rate), float)
assert_type(Depends(Page, use_cache=False), Page)


async def depending(order: Order, session: AsyncSession) -> None:
    # as a default, what is made is left out; in `Annotated` a checker cannot know that it may be
    assert_type(await app.enqueue(sell, order), Job[Receipt])
    await app.enqueue(sell, "a")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType, reportCallIssue]
    await app.enqueue(take_back, order)  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue]
    assert_type(await app.enqueue(take_back, order, delay_seconds=0), Job[Receipt])
    fakes: dict[Callable[..., Any], Callable[..., Any]] = {get_session: get_plain_session}
    async with TestApp(app, overrides=fakes) as shop:
        assert_type(await shop.call(sell, order), Receipt)
    async with TestApp(app, overrides={get_rate: lambda: 1.0}) as shop:
        pass


@asynccontextmanager
async def open_pools(opening: App) -> AsyncGenerator[None]:
    assert_type(opening.name, str)
    yield


@asynccontextmanager
async def own_lifespan(_: FastAPI) -> AsyncGenerator[None]:
    async with app.lifespan():
        yield


def hosting() -> None:
    bank = App("bank", lifespan=open_pools)
    App("bank", lifespan=[open_pools, open_pools])
    bank.add_middleware(CORSMiddleware, **cors_options("https://shop.example"))
    bank.add_middleware(CORSMiddleware, allow_origins=["https://shop.example"])
    bank.add_middleware(CORSMiddleware, origins=5)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    FastAPI(lifespan=app.lifespan).mount("/shop", app)
    FastAPI(lifespan=own_lifespan).mount("/shop", app)
    Starlette(lifespan=app.lifespan).mount("/shop", app)
    bank.mount("/api", FastAPI())

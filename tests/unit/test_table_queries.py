"""Queries: in the order of keys, with the attempt's own writes, awaited or plain."""

import asyncio

import pytest
from pydantic import BaseModel

from eitherway import App, Context, Retry
from eitherway.testing import TestApp
from eitherway.unit import current_unit


class Changes(BaseModel):
    puts: list[str] = []
    deletes: list[str] = []


class Line(BaseModel):
    order_id: str
    sku: str
    count: int = 1


app = App("queries")
lines = app.table("lines", Line, key="sku", partition="order_id")
seen = app.table("seen", dict, key="id")

ONE = Retry(attempts=1)


@app.operation(retry=ONE)
async def find(prefix: str, after: str | None, limit: int | None) -> list[str]:
    query = lines.query(prefix, partition="o", after=after, limit=limit)
    return [line.sku async for line in query]


@app.operation(retry=ONE)
def find_plainly(prefix: str, after: str | None, limit: int | None) -> list[str]:
    query = lines.sync.query(prefix, partition="o", after=after, limit=limit)
    return [line.sku for line in query]


@app.operation(retry=ONE)
async def write_and_find(changes: Changes, prefix: str) -> list[str]:
    for sku in changes.puts:
        await lines.put(Line(order_id="o", sku=sku, count=9))
    for sku in changes.deletes:
        await lines.delete(sku, partition="o")
    await lines.put(Line(order_id="another", sku="m"))
    return [f"{line.sku}{line.count}" async for line in lines.query(prefix, partition="o")]


@app.operation(retry=ONE)
def write_and_find_plainly(changes: Changes, prefix: str) -> list[str]:
    for sku in changes.puts:
        lines.sync.put(Line(order_id="o", sku=sku, count=9))
    for sku in changes.deletes:
        lines.sync.delete(sku, partition="o")
    lines.sync.put(Line(order_id="another", sku="m"))
    return [f"{line.sku}{line.count}" for line in lines.sync.query(prefix, partition="o")]


@app.operation(retry=ONE)
async def write_on_the_way() -> list[str]:
    """At "b": deletes itself and the next one, changes one and adds two, ahead and behind."""
    found = []
    async for line in lines.query(partition="o"):
        found.append(f"{line.sku}{line.count}")
        if line.sku == "b":
            for sku in ("b", "c"):
                await lines.delete(sku, partition="o")
            for sku in ("a0", "d", "d0"):
                await lines.put(Line(order_id="o", sku=sku, count=9))
    return found


@app.operation(retry=ONE)
def write_on_the_way_plainly() -> list[str]:
    found = []
    for line in lines.sync.query(partition="o"):
        found.append(f"{line.sku}{line.count}")
        if line.sku == "b":
            for sku in ("b", "c"):
                lines.sync.delete(sku, partition="o")
            for sku in ("a0", "d", "d0"):
                lines.sync.put(Line(order_id="o", sku=sku, count=9))
    return found


interference: list[Line] = []


@app.operation(retry=ONE)
async def add_up(ctx: Context, write: str) -> int:
    """Sums a partition and writes one item, while somebody else writes, once."""
    total = sum([line.count async for line in lines.query(partition="o")])
    while interference:
        token = current_unit.set(None)  # as another process would: outside this attempt
        try:
            await lines.put(interference.pop())
        finally:
            current_unit.reset(token)
    await lines.put(Line(order_id="o", sku=write, count=total))
    return total


@app.operation(retry=ONE)
async def get_then_find() -> list[int]:
    """What it had read before stays as it was; what was not there stays away."""
    await lines.get("a", partition="o")
    await lines.get("b", None, partition="o")
    token = current_unit.set(None)
    try:
        for sku in "ab":
            await lines.put(Line(order_id="o", sku=sku, count=7))
    finally:
        current_unit.reset(token)
    return [line.count async for line in lines.query(partition="o")]


@pytest.fixture
async def opened():
    interference.clear()
    async with TestApp(app, seed=3) as opened:
        yield opened


async def store(*skus: str) -> None:
    for sku in skus:
        await lines.put(Line(order_id="o", sku=sku))


async def run(opened, handler, *arguments, door):
    """Through either door."""
    if door == "direct":
        return await opened.call(handler, *arguments)
    job = await opened.enqueue(handler, *arguments)
    await opened.drain()
    return await job.result(0)


both = pytest.mark.parametrize("door", ["direct", "queued"])
NUMBERS = [f"{number:03}" for number in range(230)]  # three pages


@both
@pytest.mark.parametrize("handler", [find, find_plainly])
@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (("", None, None), NUMBERS),
        (("", "", None), NUMBERS),
        (("1", None, None), NUMBERS[100:200]),
        (("1", "150", None), NUMBERS[151:200]),
        (("1", "0", 2), NUMBERS[100:102]),
        (("", "099", 120), NUMBERS[100:220]),
        (("", None, 0), []),
        (("", None, 100), NUMBERS[:100]),
        (("", None, 1000), NUMBERS),
        (("", "229", None), []),
        (("3", None, None), []),
    ],
)
async def test_a_query_gives_what_it_is_asked_for(opened, handler, door, asked, expected):
    """In order, over the pages that the engine reads."""
    await asyncio.gather(*(store(sku) for sku in NUMBERS))
    assert await run(opened, handler, *asked, door=door) == expected


@both
@pytest.mark.parametrize("handler", [write_and_find, write_and_find_plainly])
async def test_own_writes_are_merged_in_order(opened, handler, door):
    """Puts are where they belong, changes in place, deletes gone; another partition's are not."""
    await store("b", "d", "f", "x1")
    puts, deletes = ["a", "c", "d", "g", "y", "x2"], ["f", "g", "nowhere"]
    changes = Changes(puts=puts, deletes=deletes)
    found = await run(opened, handler, changes, "", door=door)
    assert found == ["a9", "b1", "c9", "d9", "x11", "x29", "y9"]
    found = await run(opened, handler, Changes(puts=["x0", "x3"], deletes=["x1"]), "x", door=door)
    assert found == ["x09", "x29", "x39"]


@both
@pytest.mark.parametrize("handler", [write_and_find, write_and_find_plainly])
async def test_own_writes_alone_are_found(opened, handler, door):
    """In a table that has nothing else."""
    assert await run(opened, handler, Changes(puts=["b", "a"]), "", door=door) == ["a9", "b9"]


@both
@pytest.mark.parametrize("handler", [write_and_find, write_and_find_plainly])
async def test_own_writes_keep_their_place_over_pages(opened, handler, door):
    """What is put far ahead waits until the pages before it were given."""
    await asyncio.gather(*(store(sku) for sku in NUMBERS))
    changes = Changes(puts=["1500", "099", "0", "9"], deletes=["100", "229"])
    found = await run(opened, handler, changes, "", door=door)
    counts = dict.fromkeys(NUMBERS, 1) | dict.fromkeys(changes.puts, 9)
    kept = sorted(counts.keys() - set(changes.deletes))
    assert found == [f"{sku}{counts[sku]}" for sku in kept]


@both
@pytest.mark.parametrize("handler", [write_on_the_way, write_on_the_way_plainly])
async def test_what_is_written_on_the_way_is_seen_ahead(opened, handler, door):
    """And what is written behind is not gone back for."""
    await store("a", "b", "c", "d", "e")
    found = await run(opened, handler, door=door)
    assert found == ["a1", "b1", "d9", "d09", "e1"]
    assert await find("", None, None) == ["a", "a0", "d", "d0", "e"]


async def test_what_was_queried_and_written_is_checked(opened):
    """Somebody changes it in between: the handler runs again, and counts that."""
    await store("a", "b")
    interference.append(Line(order_id="o", sku="a", count=10))
    job = await opened.enqueue(add_up, "a")
    await opened.drain()
    assert await job.result(0) == 11
    outcomes = [attempt.outcome for attempt in (await job.record()).attempts]
    assert outcomes == ["conflict", "succeeded"]


@pytest.mark.parametrize("moved", ["a", "new"])
async def test_what_was_only_queried_is_not_checked(opened, moved):
    """Nor is what was not there: no protection against what others add."""
    await store("a", "b")
    interference.append(Line(order_id="o", sku=moved, count=10))
    job = await opened.enqueue(add_up, "b")
    await opened.drain()
    assert await job.result(0) == 2
    assert len((await job.record()).attempts) == 1


@both
async def test_a_query_agrees_with_what_the_attempt_had_read(opened, door):
    """Versions do not change under a handler."""
    await store("a")
    assert await run(opened, get_then_find, door=door) == [1]


async def test_outside_a_handler_a_query_sees_what_is_committed(opened):
    """Awaited on the loop, or from a thread of one's own."""
    await store(*NUMBERS[:120])
    found = [line.sku async for line in lines.query(partition="o")]
    plainly = await asyncio.to_thread(lambda: list(lines.sync.query("01", partition="o")))
    assert found == NUMBERS[:120]
    assert [line.sku for line in plainly] == NUMBERS[10:20]


async def test_a_handler_pages_by_key(opened):
    """Each page begins after the last one's last key; a query may be left early."""
    await store(*NUMBERS[:10])
    pages, after = [], None
    while page := await opened.call(find, "", after, 4):
        pages.append(page)
        after = page[-1]
    assert pages == [NUMBERS[:4], NUMBERS[4:8], NUMBERS[8:10]]


async def test_a_limit_is_no_negative_number(opened):
    """Refused by the call, before anything is read."""
    with pytest.raises(ValueError, match="limit=-1"):
        lines.query(partition="o", limit=-1)

"""SQLite's own about tables: migrated items, deleted ones out of the way, buckets and the clock."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from eitherway.engine.item_query import ItemQuery
from eitherway.engine.values import Charge, ItemKey, ItemWrite, Settlement, Work
from eitherway.engine.virtual_clock import VirtualClock
from eitherway.engines.sqlite.engine import SqliteEngine
from eitherway.engines.sqlite.migrations import MIGRATIONS, migrate

START = 1_800_000_000.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shop.db"


def key(name: str) -> ItemKey:
    return ItemKey(table="t", key=name)


async def write(engine: SqliteEngine, values: dict[str, bytes | None]) -> None:
    writes = [ItemWrite(key=key(name), value=value) for name, value in values.items()]
    await engine.settle([Settlement(work=Work(writes=writes))])


async def found(engine: SqliteEngine) -> list[str]:
    page = await engine.query(ItemQuery(table="t", count=100))
    return [each.key.key for each in page.items]


async def test_items_of_the_first_schema_are_kept(path: Path) -> None:
    """With their versions, those of deleted ones too."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrate(connection, MIGRATIONS[:1])
        rows = [("t", "a", 3, b"1"), ("t", "gone", 5, None), ("u", "a", 1, b"2")]
        connection.executemany("INSERT INTO item VALUES (?, ?, ?, ?)", rows)
    engine = SqliteEngine(path)
    await engine.open()
    assert [item.version for item in await engine.read([key("a"), key("gone")])] == [3, 0]
    assert await found(engine) == ["a"]
    await write(engine, {"gone": b"again"})
    assert [item.version for item in await engine.read([key("gone")])] == [6]
    await engine.close()


async def test_what_deleted_items_leave_is_not_in_the_way(path: Path) -> None:
    """A query of three items does the same work whether or not thousands were deleted between."""
    engine = SqliteEngine(path)
    await engine.open()
    await write(engine, {"0": b"1", "5": b"1", "9": b"1"})
    before = steps(path)
    names = [f"{n}" for n in range(10_000, 20_000)]
    for start in range(0, len(names), 1000):
        await write(engine, dict.fromkeys(names[start : start + 1000], b"1"))
    assert steps(path) > 100 * before
    for start in range(0, len(names), 1000):
        await write(engine, dict.fromkeys(names[start : start + 1000], None))
    assert await found(engine) == ["0", "5", "9"]
    assert steps(path) == before
    await engine.close()


def steps(path: Path) -> int:
    """How many instructions of SQLite's a query of all items takes."""
    count = 0

    def step() -> None:
        nonlocal count
        count += 1

    from eitherway.engines.sqlite.queries import QUERIES

    values = {"table": "t", "partition": "", "start": b"", "end": b"\xff", "count": 10_000}
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("SELECT * FROM sqlite_master").fetchall()
        connection.set_progress_handler(step, 1)
        connection.execute(QUERIES["items"], values).fetchall()
        connection.set_progress_handler(None, 0)
    return count


async def test_a_deleted_items_mark_goes_when_it_is_there_again(path: Path) -> None:
    """Also when it comes and goes within one commit, and when it never was."""
    engine = SqliteEngine(path)
    await engine.open()
    lives = [{"a": b"1"}, {"a": None}, {"a": b"2"}, {"a": None}, {"never": None}, {"a": b"3"}]
    for life in lives:
        await write(engine, life)
    several = [Work(writes=[ItemWrite(key=key("b"), value=value)]) for value in (b"1", None, b"2")]
    await engine.settle([Settlement(work=work) for work in several])
    await engine.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT key, version FROM item").fetchall() == [
            ("a", 5),
            ("b", 3),
        ]
        assert connection.execute("SELECT * FROM deleted_item").fetchall() == []


async def test_a_page_of_large_items_is_short(path: Path) -> None:
    """The event loop does not stop for megabytes; whoever goes on gets them all."""
    engine = SqliteEngine(path)
    await engine.open()
    names = [f"{number}" for number in range(9)]
    await write(engine, dict.fromkeys(names, b"x" * 300_000))
    pages: list[list[str]] = []
    after: str | None = None
    while after is not None or not pages:
        page = await engine.query(ItemQuery(table="t", after=after, count=100))
        pages.append([each.key.key for each in page.items])
        after = page.after
    assert pages == [names[:4], names[4:8], names[8:]]
    await engine.close()


async def take(engine: SqliteEngine, units: int) -> bool:
    charge = Charge(bucket="table:orders", units=units, per_second=4, units_max=8)
    (settled,) = await engine.settle([Settlement(work=Work(charges=[charge]))])
    return settled.status.value == "done"


@pytest.mark.parametrize("seconds", [-3600, 3600])
async def test_a_clock_that_is_set_neither_fills_nor_stops_a_bucket(
    path: Path, seconds: float
) -> None:
    """It goes on filling from there, at once."""
    clock = VirtualClock(START)
    engine = SqliteEngine(path, clock=clock)
    await engine.open()
    assert await take(engine, 8)
    clock.set_by(seconds)
    assert not await take(engine, 1)
    await clock.advance(0.25)
    assert await take(engine, 1)
    assert not await take(engine, 1)
    await engine.close()


async def test_a_refused_charge_writes_nothing(path: Path) -> None:
    """So that a crowd that is turned away costs no syncs."""
    clock = VirtualClock(START)
    engine = SqliteEngine(path, clock=clock)
    await engine.open()
    assert await take(engine, 8)
    size = Path(f"{path}-wal").stat().st_size
    for _ in range(10):
        await clock.advance(1 / 64)
        assert not await take(engine, 1)
    assert Path(f"{path}-wal").stat().st_size == size
    await engine.close()


async def test_a_smaller_capacity_holds_at_once(path: Path) -> None:
    """A deploy that lowers it does not leave what was saved up under the old one."""
    engine = SqliteEngine(path, clock=VirtualClock(START))
    await engine.open()
    assert await take(engine, 1)
    lower = Charge(bucket="table:orders", units=3, per_second=1, units_max=2)
    (settled,) = await engine.settle([Settlement(work=Work(charges=[lower]))])
    assert settled.status.value == "throttled"
    await engine.close()

"""Queries: a table's items in the order of their keys, page after page, as committed."""

from __future__ import annotations

from collections.abc import Sequence

from ...job import JobState
from ..contract import Engine
from ..item_query import FoundItem, ItemQuery
from ..values import ItemKey, ItemWrite, Settlement, Work
from .harness import EngineHarness
from .samples import START, an_end, commit, take_new

PAGES_MAX = 100
"""After so many pages of a few items a query has failed to end."""


class QueryCases(EngineHarness):
    """What `query` promises."""

    async def test_nothing_is_found_where_nothing_is(self, engine: Engine) -> None:
        """A table that nobody wrote to is empty, not unknown."""
        assert await found(engine) == []

    async def test_items_come_whole_with_key_and_version(self, engine: Engine) -> None:
        """What a query finds is what `read` finds."""
        value = bytes(range(256))
        await write(engine, [key("a"), key("b")], value)
        await write(engine, [key("b")], b"")
        (first, second) = await found(engine)
        assert [first.item, second.item] == list(await engine.read([key("a"), key("b")]))
        assert (first.key, first.item.value) == (key("a"), value)
        assert (second.key, second.item.value) == (key("b"), b"")

    async def test_order_is_that_of_utf8(self, engine: Engine) -> None:
        """Keys come as their bytes do, whatever a locale or UTF-16 would say."""
        names = [
            "\x01", " ", "10", "9", "A", "a", "a\x00", "a ", "a/b", "ab", "z", "\u00e4", "\uffee",
            "\U0001f600", "\U0010ffff",
        ]  # fmt: skip
        assert names == sorted(names, key=str.encode)
        await write(engine, [key(name) for name in reversed(names)])
        for count in (1, 2, 100):
            assert await names_found(engine, count=count) == names

    async def test_a_prefix_is_taken_literally(self, engine: Engine) -> None:
        """No character of it means anything but itself, the last one there is included."""
        names = [
            "%", "%a", "*", "_", "a", "a%", "a*b", "a.b", "a_", "aa", "ab", "a\U0010ffff",
            "a\U0010ffffb", "b", "\U0010ffff", "\U0010ffff\U0010ffff",
        ]  # fmt: skip
        await write(engine, [key(name) for name in names])
        for prefix in ["", *names, "ab_", "A", "c"]:
            expected = sorted(name for name in names if name.startswith(prefix))
            assert await names_found(engine, prefix=prefix, count=2) == expected, prefix

    async def test_after_is_exclusive_and_need_not_be_there(self, engine: Engine) -> None:
        """A query goes on above a key, of an item, of a deleted one, or of none."""
        await write(engine, [key(name) for name in ("a1", "a2", "a3", "b")])
        await delete(engine, [key("a2")])
        above = {"": 2, "a": 2, "a1": 1, "a1x": 1, "a2": 1, "a2\x00": 1, "a3": 0, "b": 0, "zz": 0}
        for after, count in above.items():
            assert len(await names_found(engine, prefix="a", after=after)) == count, after

    async def test_tables_and_partitions_are_apart(self, engine: Engine) -> None:
        """The same key in each of them is another item, whatever their names are made of."""
        places = [("t", ""), ("t", "p"), ("t", "p#q"), ("t#p", "q"), ("t", "P"), ("t.p", ""),
                  ("t", "p/q"), ("t", "%"), ("t", "*"), ("t", "\u00e4")]  # fmt: skip
        for number, (table, partition) in enumerate(places):
            await write(engine, [key("k", table, partition)], b"%d" % number)
        for number, (table, partition) in enumerate(places):
            (item,) = await found(engine, table=table, partition=partition)
            assert (item.key, item.item.value) == (key("k", table, partition), b"%d" % number)
            assert list(await engine.read([item.key])) == [item.item]

    async def test_deleted_items_are_not_shown(self, engine: Engine) -> None:
        """However many lie between, and those that are made again are."""
        keys = [key(f"{number:03}") for number in range(60)]
        await write(engine, keys)
        await delete(engine, keys[1:-1])
        assert await names_found(engine, count=3) == ["000", "059"]
        await write(engine, [keys[30]], b"again")
        assert await names_found(engine, count=3) == ["000", "030", "059"]

    async def test_paging_keeps_its_place_among_writers(self, engine: Engine) -> None:
        """No item that is there all the time is passed over or repeated."""
        old = [f"{number:03}" for number in range(0, 90, 3)]
        await write(engine, [key(name) for name in old])
        seen: list[str] = []
        after: str | None = None
        for page_number in range(PAGES_MAX):
            wanted = ItemQuery(table="t", after=after, count=7)
            page = await engine.query(wanted)
            assert len(page.items) <= 7
            seen += [each.key.key for each in page.items]
            after = page.after
            if after is None:
                break
            new = [f"{number:03}" for number in range(1 + page_number % 2, 90, 6)]
            await write(engine, [key(name) for name in new])
            await delete(engine, [key(name) for name in new[::2]])
        assert seen == sorted(set(seen))
        assert [name for name in seen if name in old] == old

    async def test_what_an_attempt_commits_is_found_at_once(self, engine: Engine) -> None:
        """A query after `settle` has returned sees its writes."""
        held = await take_new(engine)
        work = Work(writes=[ItemWrite(key=key("a"), value=b"1")])
        end = an_end(held, JobState.SUCCEEDED, START)
        await engine.settle([Settlement(work=work, finish=end)])
        assert await names_found(engine) == ["a"]


def key(name: str, table: str = "t", partition: str = "") -> ItemKey:
    """An item's key."""
    return ItemKey(table=table, partition=partition, key=name)


async def write(engine: Engine, keys: Sequence[ItemKey], value: bytes = b"1") -> None:
    """Put an item under each key."""
    await commit(engine, Work(writes=[ItemWrite(key=each, value=value) for each in keys]))


async def delete(engine: Engine, keys: Sequence[ItemKey]) -> None:
    """Delete the items."""
    await commit(engine, Work(writes=[ItemWrite(key=each, value=None) for each in keys]))


async def found(
    engine: Engine,
    *,
    table: str = "t",
    partition: str = "",
    prefix: str = "",
    after: str | None = None,
    count: int = 100,
) -> list[FoundItem]:
    """All that a query finds, in pages of `count`."""
    items: list[FoundItem] = []
    for _ in range(PAGES_MAX):
        wanted = ItemQuery(
            table=table, partition=partition, prefix=prefix, after=after, count=count
        )
        page = await engine.query(wanted)
        items += page.items
        after = page.after
        if after is None:
            return items
    raise AssertionError(f"no end after {PAGES_MAX} pages")


async def names_found(
    engine: Engine, *, prefix: str = "", after: str | None = None, count: int = 100
) -> list[str]:
    """The keys of all that a query of the table "t" finds."""
    items = await found(engine, prefix=prefix, after=after, count=count)
    return [each.key.key for each in items]

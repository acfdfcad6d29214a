"""Table items: reads and queries, and the checks and writes of a settlement."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...engine.item_query import FoundItem, ItemPage, ItemQuery
from ...engine.values import Item, ItemCheck, ItemKey, ItemWrite
from .reader import Reader
from .transaction import Transaction

PAGE_BYTES = 1024 * 1024
"""After so many bytes a page is short: the event loop reads it, and has others to serve."""

_NOTHING = (0, None)


def read(reader: Reader, keys: Sequence[ItemKey]) -> list[Item]:
    """The items as last committed."""
    found = [
        reader.all("item", table=key.table, partition=key.partition, key=key.key) for key in keys
    ]
    return [Item(*rows[0]) if rows else Item(*_NOTHING) for rows in found]


def query(reader: Reader, wanted: ItemQuery) -> ItemPage:
    """The next items in the order of their keys."""
    table, partition, prefix = wanted.table, wanted.partition, wanted.prefix.encode()
    # Bounds as bytes: right above a key is the key with a NUL, above all that begin with a prefix
    # is the prefix with a byte that UTF-8 does not use.
    start = prefix if wanted.after is None else max(prefix, wanted.after.encode() + b"\0")
    left = PAGE_BYTES

    def enough(row: tuple[str, int, bytes]) -> bool:
        nonlocal left
        left -= len(row[2])
        return left <= 0

    rows, cut = reader.some(
        "items", enough, table=table, partition=partition, start=start, end=prefix + b"\xff",
        count=wanted.count,
    )  # fmt: skip
    found = [
        FoundItem(
            key=ItemKey(table=table, partition=partition, key=key),
            item=Item(version=version, value=value),
        )
        for key, version, value in rows
    ]
    more = cut or len(rows) == wanted.count
    return ItemPage(items=found, after=rows[-1][0] if more else None)


class Items:
    """The items as a transaction sees them: what its settlements wrote, over what is stored."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._seen: dict[ItemKey, tuple[int, bytes | None]] = {}
        self._written: set[ItemKey] = set()
        self._marked: set[ItemKey] = set()  # those that are stored as deleted

    def conflicts(self, checks: Iterable[ItemCheck]) -> list[ItemKey]:
        """The items that have another version than their check says."""
        return [check.key for check in checks if self._version(check.key) != check.version]

    def apply(self, writes: Iterable[ItemWrite]) -> None:
        """Put and delete, for those who look after this."""
        for write in writes:
            version, value = self._look(write.key)
            if value is None and write.value is None:
                continue  # deleted already, or never there
            self._seen[write.key] = version + 1, write.value
            self._written.add(write.key)

    def store(self) -> None:
        """Write down what was applied."""
        puts, deletes, marks, unmarks = [], [], [], []
        for key in self._written:
            version, value = self._seen[key]
            place = key.table, key.partition, key.key
            if value is None:
                deletes.append(place)
                marks.append((*place, version))
            else:
                puts.append((*place, version, bytearray(value)))  # as messages are bound
                if key in self._marked:
                    unmarks.append(place)
        self._tx.insert("write_item", puts)
        self._tx.each("delete_item", deletes)
        self._tx.each("mark_item", marks)
        self._tx.each("unmark_item", unmarks)
        self._written.clear()

    def _version(self, key: ItemKey) -> int:
        version, value = self._look(key)
        return 0 if value is None else version

    def _look(self, key: ItemKey) -> tuple[int, bytes | None]:
        if key not in self._seen:
            found = self._tx.one(
                "item_or_mark", table=key.table, partition=key.partition, key=key.key
            )
            if found is not None and found[1] is None:
                self._marked.add(key)
            self._seen[key] = found or _NOTHING
        return self._seen[key]

"""Table items: reads, and the checks and writes of a settlement."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...engine.values import Item, ItemCheck, ItemKey, ItemWrite
from .reader import Reader
from .transaction import Transaction

_NOTHING = (0, None)


def read(reader: Reader, keys: Sequence[ItemKey]) -> list[Item]:
    """The items as last committed."""
    return [
        Item(version=0 if value is None else version, value=value)
        for version, value in (
            next(iter(reader.all("item", table=key.table, key=key.key)), _NOTHING) for key in keys
        )
    ]


class Items:
    """The items as a transaction sees them: what its settlements wrote, over what is stored."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._seen: dict[ItemKey, tuple[int, bytes | None]] = {}
        self._written: set[ItemKey] = set()

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
        self._tx.each(
            "write_item", [(key.table, key.key, *self._seen[key]) for key in self._written]
        )
        self._written.clear()

    def _version(self, key: ItemKey) -> int:
        version, value = self._look(key)
        return 0 if value is None else version

    def _look(self, key: ItemKey) -> tuple[int, bytes | None]:
        if key not in self._seen:
            self._seen[key] = self._tx.one("item", table=key.table, key=key.key) or _NOTHING
        return self._seen[key]

"""Tables: a small key-value store beside the jobs, whose writes commit with the attempt.

Within a handler every read and write goes through the attempt's `UnitOfWork`: writes are buffered,
reads see them, and all of it commits with the attempt's end, or not at all. Outside a handler each
call is a unit of its own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, Generic, Protocol, TypedDict, TypeVar, Unpack, overload

from .awaiting import Call, to_be_awaited
from .capacity import WriteCapacity
from .engine.item_query import ItemQuery
from .engine.values import ItemKey
from .errors import ConfigurationError
from .item_model import ItemModel
from .signals import Conflict, NotFound
from .sync_table import REQUIRED, SyncTable
from .unit import UnitOfWork, Walk, current_unit

T = TypeVar("T")
D = TypeVar("D")

RESERVED = "eitherway."
"""How the names of tables begin that eitherway keeps for itself."""

_PAGE = 100  # items that a query reads at once


class TableStore(Protocol):
    """What a table needs of the opened app: a reader, and a commit of its own outside handlers."""

    def unit(self) -> UnitOfWork:
        """A fresh unit of work on the engine."""

    async def commit(self, unit: UnitOfWork) -> bool:
        """Commit a unit that belongs to no attempt; False when an item moved meanwhile.

        `Throttled` when a table has no write capacity left.
        """

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run on the app's event loop from another thread."""


class TableOptions(TypedDict, total=False):
    """What a table may be given beside its name, its model and its key."""

    partition: str | None  # a field: items are unique by it and the key, and queried within one
    write_capacity: float | None  # what all processes may write: units of 1 KB a second
    write_burst_seconds: float  # for how long unused capacity is saved up: 300 unless given


class Table(Generic[T]):
    """A table of `T`, keyed by one of its fields, within a partition where it has one.

    Made by `App.table`. A key or partition that is none is a `ValueError`.
    """

    def __init__(
        self,
        name: str,
        model: type[T],
        key: str,
        store: Callable[[], TableStore],
        **options: Unpack[TableOptions],
    ) -> None:
        if name.startswith(RESERVED):
            raise ConfigurationError(
                f"the table {name!r}: {RESERVED}* are names of eitherway's own"
            )
        self.name = name
        self.key = key
        self.partition = options.get("partition")
        self._model = ItemModel(name, model, key, self.partition)
        self._capacity = WriteCapacity.of(
            options.get("write_capacity"), options.get("write_burst_seconds")
        )
        self._store = store

    @property
    def capacity(self) -> WriteCapacity | None:
        """What all processes may write of it, where that is limited."""
        return self._capacity

    @property
    def sync(self) -> SyncTable[T]:
        """The same table for plain `def` handlers, which cannot await."""
        return SyncTable(self, self._store)

    @overload
    def get(self, key: str, *, partition: str | None = None, check: bool = False) -> Call[T]: ...
    @overload
    def get(
        self, key: str, default: D, *, partition: str | None = None, check: bool = False
    ) -> Call[T | D]: ...

    def get(
        self,
        key: str,
        default: Any = REQUIRED,
        *,
        partition: str | None = None,
        check: bool = False,
    ) -> Call[Any]:
        """The item, or `default`; without a default `NotFound` (a 404) when there is none.

        With `check`, the commit holds only if the item did not change meanwhile.
        """
        return self._call("get", self._get(key, default, partition, check=check))

    async def _get(self, key: str, default: Any, partition: str | None, *, check: bool) -> Any:
        item_key = self._item_key(key, partition)
        item = await self._unit().fetch(item_key, check=check)
        if item.value is not None:
            return self._model.decode(item.value)
        if default is REQUIRED:
            raise NotFound(f"{self.name} has no item {key!r}")
        return default

    def version(self, key: str, *, partition: str | None = None) -> Call[int]:
        """How often the item was written since it came to be; 0 when there is none."""
        return self._call("version", self._version(key, partition))

    async def _version(self, key: str, partition: str | None) -> int:
        return (await self._unit().fetch(self._item_key(key, partition))).version

    def put(self, item: T, *, if_absent: bool = False, if_version: int | None = None) -> Call[None]:
        """Write the item when the attempt commits. `Conflict` (a 409) where the condition fails."""
        return self._call("put", self._put(item, 0 if if_absent else if_version))

    async def _put(self, item: T, version: int | None) -> None:
        key, partition, data = self._model.encode(item)
        item_key = ItemKey(table=self.name, partition=partition, key=key)
        await self._write(item_key, data, version)

    def delete(
        self, key: str, *, partition: str | None = None, if_version: int | None = None
    ) -> Call[None]:
        """Delete the item when the attempt commits; a no-op when there is none."""
        return self._call("delete", self._delete(key, partition, if_version))

    async def _delete(self, key: str, partition: str | None, if_version: int | None) -> None:
        await self._write(self._item_key(key, partition), None, if_version)

    def query(
        self,
        prefix: str = "",
        *,
        partition: str | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[T]:
        """The items whose key begins with `prefix`, in the order of their keys' UTF-8 bytes.

        Only keys above `after`, at most `limit` items. Within a handler its own writes are seen,
        and what it was given counts as read; items that others add meanwhile are not guarded
        against.
        """
        return _Found(self._model, self.walk(prefix, partition, after, limit), limit)

    def walk(
        self, prefix: str, partition: str | None, after: str | None, limit: int | None
    ) -> Walk:
        """A query's way along the keys, for those who decode it (used by `sync`)."""
        if limit is not None and limit < 0:
            raise ValueError(f"limit={limit}: give 0 or more")
        unit = current_unit.get()
        wanted = ItemQuery(
            table=self.name,
            partition=self._model.partition(partition),
            prefix=prefix,
            after=after,
            count=_PAGE if limit is None else max(1, min(limit, _PAGE)),
        )
        return (unit or self._store().unit()).walk(wanted, alone=unit is None)

    def decode(self, value: bytes) -> T:
        """An item from its bytes (used by `sync`)."""
        return self._model.decode(value)

    async def _write(self, key: ItemKey, data: bytes | None, version: int | None) -> None:
        if current_unit.get() is not None:
            return await self._buffer(self._unit(), key, data, version)
        store = self._store()
        while (
            True
        ):  # outside a handler: a unit of its own, repeated until no other writer came between
            unit = store.unit()
            await self._buffer(unit, key, data, version)
            if await store.commit(unit):
                return None

    async def _buffer(
        self, unit: UnitOfWork, key: ItemKey, data: bytes | None, version: int | None
    ) -> None:
        if version is not None:
            actual = (await unit.fetch(key)).version
            if actual != version:
                state = "does not exist" if actual == 0 else f"is at version {actual}"
                raise Conflict(f"item {key.key!r} of {self.name} {state}")
        unit.write(key, data, self._capacity)

    def _call(self, name: str, call: Call[D]) -> Call[D]:
        """Await it, or the attempt says that this was forgotten."""
        way_out = f"await it (in a plain def handler, write {self.name}.sync.{name}(...))"
        return to_be_awaited(f"{self.name}.{name}(...)", call, way_out)

    def _unit(self) -> UnitOfWork:
        return current_unit.get() or self._store().unit()

    def _item_key(self, key: str, partition: str | None) -> ItemKey:
        return ItemKey(
            table=self.name,
            partition=self._model.partition(partition),
            key=self._model.key(key),
        )


class _Found(AsyncIterator[T]):
    """What a query finds, item by item."""

    def __init__(self, model: ItemModel[T], walk: Walk, limit: int | None) -> None:
        self._model = model
        self._walk = walk
        self._left = limit
        self._items: Iterator[bytes] = iter(())

    async def __anext__(self) -> T:
        if self._left == 0:
            raise StopAsyncIteration
        while (value := next(self._items, None)) is None:
            if not await self._walk.fetch():
                raise StopAsyncIteration
            self._items = self._walk.items()
        if self._left is not None:
            self._left -= 1
        return self._model.decode(value)

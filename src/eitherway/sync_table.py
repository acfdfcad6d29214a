"""A table for plain `def` handlers, whose calls block."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from .unit import UnitOfWork, Walk, current_unit

if TYPE_CHECKING:
    from .table import Table, TableStore

T = TypeVar("T")
D = TypeVar("D")

REQUIRED: Any = object()


class SyncTable(Generic[T]):
    """A table's calls, blocking: for plain `def` handlers, which run in threads."""

    def __init__(self, table: Table[T], store: Callable[[], TableStore]) -> None:
        self._table = table
        self._store = store

    @overload
    def get(self, key: str, *, partition: str | None = None, check: bool = False) -> T: ...
    @overload
    def get(
        self, key: str, default: D, *, partition: str | None = None, check: bool = False
    ) -> T | D: ...

    def get(
        self,
        key: str,
        default: Any = REQUIRED,
        *,
        partition: str | None = None,
        check: bool = False,
    ) -> Any:
        """As `Table.get`."""
        return self._run(self._table.get(key, default, partition=partition, check=check))

    def version(self, key: str, *, partition: str | None = None) -> int:
        """As `Table.version`."""
        return self._run(self._table.version(key, partition=partition))

    def put(self, item: T, *, if_absent: bool = False, if_version: int | None = None) -> None:
        """As `Table.put`."""
        self._run(self._table.put(item, if_absent=if_absent, if_version=if_version))

    def delete(
        self, key: str, *, partition: str | None = None, if_version: int | None = None
    ) -> None:
        """As `Table.delete`."""
        self._run(self._table.delete(key, partition=partition, if_version=if_version))

    def query(
        self,
        prefix: str = "",
        *,
        partition: str | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> Iterator[T]:
        """As `Table.query`, a plain iterator."""
        return self._found(self._table.walk(prefix, partition, after, limit), limit)

    def _found(self, walk: Walk, limit: int | None) -> Iterator[T]:
        left = limit
        while left != 0 and self._run(walk.fetch()):
            for value in walk.items():
                if left == 0:
                    return
                left = None if left is None else left - 1
                yield self._table.decode(value)

    def _run(self, coroutine: Coroutine[Any, Any, D]) -> D:
        return self._store().run(_in_unit(current_unit.get(), coroutine))


async def _in_unit(unit: UnitOfWork | None, coroutine: Awaitable[D]) -> D:
    """Carry the calling thread's unit over to the event loop's task."""
    current_unit.set(unit)
    return await coroutine


def refuse_running_loop() -> None:
    """Raise where a blocking call would stop the event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError("table.sync is for plain def handlers: here, await the table itself")

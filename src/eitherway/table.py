"""Tables: a small key-value store beside the jobs, whose writes commit with the attempt.

Within a handler every read and write goes through the attempt's `UnitOfWork`: writes are buffered,
reads see them, and all of it commits with the attempt's end, or not at all. Outside a handler each
call is a unit of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar
from typing import Any, Generic, Protocol, TypeVar, overload

from pydantic import TypeAdapter, ValidationError

from .engine.contract import Engine
from .engine.values import Item, ItemCheck, ItemKey, ItemWrite, NewJob, Work
from .errors import ConfigurationError, InvalidInputError
from .signals import Conflict, NotFound
from .spending import measured_call

T = TypeVar("T")
D = TypeVar("D")

ITEMS_MAX = 90
"""Items that one attempt may write: what fits DynamoDB's transaction beside the record."""


class UnitOfWork:
    """One attempt's reads, writes and enqueued jobs, until they commit together."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._read: dict[ItemKey, Item] = {}
        self._written: dict[ItemKey, bytes | None] = {}
        self._checked: set[ItemKey] = set()
        self._jobs: list[NewJob] = []

    async def fetch(self, key: ItemKey, *, check: bool = False) -> Item:
        """The item as this attempt sees it: its own write, else as committed."""
        if key not in self._read:
            with measured_call():
                (self._read[key],) = await self._engine.read([key])
        if check:
            self._checked.add(key)
        committed = self._read[key]
        if key not in self._written:
            return committed
        value = self._written[key]
        return Item(version=committed.version + 1 if value is not None else 0, value=value)

    def write(self, key: ItemKey, value: bytes | None) -> None:
        """Buffer a put, or with None a delete. `ValueError` past a limit of the engine."""
        limits = self._engine.capabilities
        if value is not None and len(value) > limits.item_bytes_max:
            raise ValueError(
                f"item {key.key!r} of {key.table} has {len(value)} bytes, "
                f"the engine takes {limits.item_bytes_max}"
            )
        self._written[key] = value
        if len(self._written) > ITEMS_MAX:
            raise ValueError(f"an attempt writes at most {ITEMS_MAX} items: enqueue the rest")
        self._check_size()

    def add_job(self, job: NewJob) -> None:
        """Buffer a job to enqueue. `ValueError` past a limit of the engine."""
        self._jobs.append(job)
        self._check_size()

    def _check_size(self) -> None:
        limits = self._engine.capabilities
        count = len(self._written) + len(self._jobs)
        size = sum(len(value) for value in self._written.values() if value is not None)
        size += sum(len(job.message.payload) for job in self._jobs)
        if count > limits.writes_per_commit_max or size > limits.commit_bytes_max:
            raise ValueError(
                f"an attempt commits at most {limits.writes_per_commit_max} items and jobs, "
                f"of {limits.commit_bytes_max} bytes in all: not {count}, of {size}"
            )

    def work(self) -> Work:
        """What is to commit. Items both read and written are checked."""
        return Work(
            checks=[
                ItemCheck(key=key, version=item.version)
                for key, item in self._read.items()
                if key in self._written or key in self._checked
            ],
            writes=[ItemWrite(key=key, value=value) for key, value in self._written.items()],
            jobs=self._jobs,
        )


current_unit: ContextVar[UnitOfWork | None] = ContextVar("current_unit", default=None)
"""The unit of the attempt that is running, set by the execution path."""


class TableStore(Protocol):
    """What a table needs of the opened app: a reader, and a commit of its own outside handlers."""

    def unit(self) -> UnitOfWork:
        """A fresh unit of work on the engine."""

    async def commit(self, unit: UnitOfWork) -> bool:
        """Commit a unit that belongs to no attempt; False when an item moved meanwhile."""

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run on the app's event loop from another thread."""


_REQUIRED: Any = object()


class Table(Generic[T]):
    """A table of `T`, keyed by one of its fields. Made by `App.table`."""

    def __init__(
        self, name: str, model: type[T], key: str, store: Callable[[], TableStore]
    ) -> None:
        fields = getattr(model, "model_fields", None) or getattr(model, "__annotations__", {})
        if model is not dict and key not in fields:
            raise ConfigurationError(f"table {name!r}: {model.__name__} has no field {key!r}")
        self.name = name
        self.key = key
        self._adapter: TypeAdapter[T] = TypeAdapter(
            dict[str, Any] if model is dict else model  # type: ignore[arg-type]  # `dict` means any JSON object
        )
        self._store = store

    @property
    def sync(self) -> SyncTable[T]:
        """The same table for plain `def` handlers, which cannot await."""
        return SyncTable(self, self._store)

    @overload
    async def get(self, key: str, *, check: bool = False) -> T: ...
    @overload
    async def get(self, key: str, default: D, *, check: bool = False) -> T | D: ...

    async def get(self, key: str, default: Any = _REQUIRED, *, check: bool = False) -> Any:
        """The item, or `default`; without a default `NotFound` (a 404) when there is none.

        With `check`, the commit holds only if the item did not change meanwhile.
        """
        item = await self._unit().fetch(self._item_key(key), check=check)
        if item.value is not None:
            return self._adapter.validate_json(item.value)
        if default is _REQUIRED:
            raise NotFound(f"{self.name} has no item {key!r}")
        return default

    async def version(self, key: str) -> int:
        """How often the item was written since it came to be; 0 when there is none."""
        return (await self._unit().fetch(self._item_key(key))).version

    async def put(self, item: T, *, if_absent: bool = False, if_version: int | None = None) -> None:
        """Write the item when the attempt commits. `Conflict` (a 409) where the condition fails."""
        try:
            value = self._adapter.validate_python(item)
        except ValidationError as error:
            raise InvalidInputError(f"table {self.name!r}: {error}") from None
        key = value[self.key] if isinstance(value, dict) else getattr(value, self.key)
        data = self._adapter.dump_json(value, by_alias=True, round_trip=True)
        await self._write(str(key), data, 0 if if_absent else if_version)

    async def delete(self, key: str, *, if_version: int | None = None) -> None:
        """Delete the item when the attempt commits; a no-op when there is none."""
        await self._write(key, None, if_version)

    async def _write(self, key: str, data: bytes | None, version: int | None) -> None:
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
        self, unit: UnitOfWork, key: str, data: bytes | None, version: int | None
    ) -> None:
        item_key = self._item_key(key)
        if version is not None:
            actual = (await unit.fetch(item_key)).version
            if actual != version:
                state = "does not exist" if actual == 0 else f"is at version {actual}"
                raise Conflict(f"item {key!r} of {self.name} {state}")
        unit.write(item_key, data)

    def _unit(self) -> UnitOfWork:
        return current_unit.get() or self._store().unit()

    def _item_key(self, key: str) -> ItemKey:
        return ItemKey(table=self.name, key=str(key))


class SyncTable(Generic[T]):
    """A table's calls, blocking: for plain `def` handlers, which run in threads."""

    def __init__(self, table: Table[T], store: Callable[[], TableStore]) -> None:
        self._table = table
        self._store = store

    @overload
    def get(self, key: str, *, check: bool = False) -> T: ...
    @overload
    def get(self, key: str, default: D, *, check: bool = False) -> T | D: ...

    def get(self, key: str, default: Any = _REQUIRED, *, check: bool = False) -> Any:
        """As `Table.get`."""
        return self._run(self._table.get(key, default, check=check))

    def version(self, key: str) -> int:
        """As `Table.version`."""
        return self._run(self._table.version(key))

    def put(self, item: T, *, if_absent: bool = False, if_version: int | None = None) -> None:
        """As `Table.put`."""
        self._run(self._table.put(item, if_absent=if_absent, if_version=if_version))

    def delete(self, key: str, *, if_version: int | None = None) -> None:
        """As `Table.delete`."""
        self._run(self._table.delete(key, if_version=if_version))

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

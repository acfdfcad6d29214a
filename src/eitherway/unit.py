"""One attempt's reads, writes and enqueued jobs, kept until they commit together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace

from .capacity import WriteCapacity, units
from .engine.contract import Engine
from .engine.item_query import ItemPage, ItemQuery
from .engine.values import Charge, Item, ItemCheck, ItemKey, ItemWrite, NewJob, Work
from .spending import measured_call

ITEMS_MAX = 90
"""Items that one attempt may write: what fits DynamoDB's transaction beside the record."""

_NO_WORK = Work()
_Writes = Mapping[ItemKey, bytes | None]


@dataclass(slots=True)
class _Kept:
    """What a unit has read, and is to commit."""

    read: dict[ItemKey, Item] = field(default_factory=dict)
    written: dict[ItemKey, bytes | None] = field(default_factory=dict)
    checked: set[ItemKey] = field(default_factory=set)
    jobs: list[NewJob] = field(default_factory=list)
    capacities: dict[str, WriteCapacity] = field(default_factory=dict)

    def seen(self, key: ItemKey) -> Item:
        """What was read, as it is after what was written."""
        committed = self.read[key]
        if key not in self.written:
            return committed
        value = self.written[key]
        return Item(version=committed.version + 1 if value is not None else 0, value=value)


class UnitOfWork:
    """One attempt's reads, writes and enqueued jobs, until they commit together.

    `bounded=False` is for a batch's: where its work is too large, the batch is cut.
    """

    __slots__ = ("_bounded", "_engine", "_kept")

    def __init__(self, engine: Engine, *, bounded: bool = True) -> None:
        self._engine = engine
        self._bounded = bounded
        self._kept: _Kept | None = None  # once there is something: most attempts of many do nothing

    async def fetch(self, key: ItemKey, *, check: bool = False) -> Item:
        """The item as this attempt sees it: its own write, else as committed.

        With `check` it is part of the commit: `ValueError` past a limit of the engine.
        """
        kept = self._begun()
        if check and key not in kept.checked:
            self._check_size(kept.written, kept.jobs, {*kept.checked, key})
        if key not in kept.read:
            with measured_call():
                (kept.read[key],) = await self._engine.read([key])
        if check:
            kept.checked.add(key)
        return kept.seen(key)

    def write(
        self, key: ItemKey, value: bytes | None, capacity: WriteCapacity | None = None
    ) -> None:
        """Buffer a put, or with None a delete. `ValueError` past a limit; nothing is buffered."""
        limits = self._engine.capabilities
        if value is not None and len(value) > limits.item_bytes_max:
            raise ValueError(
                f"item {key.key!r} of {key.table} has {len(value)} bytes, "
                f"the engine takes {limits.item_bytes_max}"
            )
        kept = self._begun()
        written = {**kept.written, key: value}
        if self._bounded and len(written) > ITEMS_MAX:
            raise ValueError(f"an attempt writes at most {ITEMS_MAX} items: enqueue the rest")
        self._check_size(written, kept.jobs, kept.checked)
        if capacity is not None:
            if self._bounded:
                _check_capacity(key.table, written, capacity)
            kept.capacities[key.table] = capacity
        kept.written = written

    def add_job(self, job: NewJob) -> None:
        """Buffer a job to enqueue. `ValueError` past a limit of the engine."""
        kept = self._begun()
        self._check_size(kept.written, [*kept.jobs, job], kept.checked)
        kept.jobs.append(job)

    def walk(self, wanted: ItemQuery, *, alone: bool = False) -> Walk:
        """The items that a query finds, as this attempt sees them; `alone`, as committed."""
        return Walk(self._engine, wanted, None if alone else self)

    def work(self) -> Work:
        """What is to commit. Items both read and written are checked."""
        kept = self._kept
        if kept is None:
            return _NO_WORK
        return Work(
            checks=[
                ItemCheck(key, item.version)
                for key, item in kept.read.items()
                if key in kept.written or key in kept.checked
            ],
            writes=[ItemWrite(key, value) for key, value in kept.written.items()],
            jobs=kept.jobs,
            charges=[
                Charge(
                    bucket=f"table:{table}",
                    units=_units(table, kept.written),
                    per_second=capacity.per_second,
                    units_max=capacity.units_max,
                )
                for table, capacity in kept.capacities.items()
            ],
        )

    def found(self, key: ItemKey, item: Item) -> Item:
        """An item that a query found: read by now, if not before, and as this attempt sees it."""
        kept = self._begun()
        kept.read.setdefault(key, item)
        return kept.seen(key)

    def next_own(self, wanted: ItemQuery, before: ItemKey | None) -> tuple[ItemKey, bytes] | None:
        """The first item that this attempt has put among those wanted, below `before`."""
        own = [
            (key.key, key, value)
            for key, value in self._begun().written.items()
            if value is not None and _wanted(key, wanted, before)
        ]
        return min(own)[1:] if own else None

    def _begun(self) -> _Kept:
        if self._kept is None:
            self._kept = _Kept()
        return self._kept

    def _check_size(self, written: _Writes, jobs: list[NewJob], checked: set[ItemKey]) -> None:
        if not self._bounded:
            return
        limits = self._engine.capabilities
        count = len(written.keys() | checked) + len(jobs)
        size = sum(len(value) for value in written.values() if value is not None)
        size += sum(len(job.message.payload) for job in jobs)
        if count > limits.writes_per_commit_max or size > limits.commit_bytes_max:
            raise ValueError(
                f"an attempt commits at most {limits.writes_per_commit_max} items and jobs, those "
                f"included that it only checks, of {limits.commit_bytes_max} bytes in all: "
                f"not {count}, of {size}"
            )


class Walk:
    """One query's way along the keys: page after page, and between them what the attempt put.

    `fetch` reads a page, `items` gives what is in it; until `fetch` says that there is no more.
    """

    def __init__(self, engine: Engine, wanted: ItemQuery, unit: UnitOfWork | None) -> None:
        self._engine = engine
        self._wanted = wanted
        self._unit = unit
        self._place = wanted.after  # the last key that was looked at
        self._page = ItemPage(items=(), after=wanted.after)
        self._begun = False

    async def fetch(self) -> bool:
        """Read the next page; False where the last one was the end."""
        if self._begun and self._page.after is None:
            return False
        self._begun = True
        with measured_call():
            self._page = await self._engine.query(replace(self._wanted, after=self._page.after))
        return True

    def items(self) -> Iterator[bytes]:
        """The page's items. What the attempt writes meanwhile, ahead of here, is seen."""
        for found in self._page.items:
            yield from self._own(found.key)
            self._place = found.key.key
            item = found.item if self._unit is None else self._unit.found(found.key, found.item)
            if item.value is not None:
                yield item.value
        if self._page.after is None:
            yield from self._own(None)

    def _own(self, before: ItemKey | None) -> Iterator[bytes]:
        while self._unit is not None:
            own = self._unit.next_own(replace(self._wanted, after=self._place), before)
            if own is None:
                return
            key, value = own
            self._place = key.key
            yield value


current_unit: ContextVar[UnitOfWork | None] = ContextVar("current_unit", default=None)
"""The unit of the attempt that is running, set by the execution path."""


def _wanted(key: ItemKey, wanted: ItemQuery, before: ItemKey | None) -> bool:
    """Whether a key is in a query's range. Python compares text as UTF-8 compares its bytes."""
    return (
        (key.table, key.partition) == (wanted.table, wanted.partition)
        and key.key.startswith(wanted.prefix)
        and (wanted.after is None or key.key > wanted.after)
        and (before is None or key.key < before.key)
    )


def _units(table: str, written: _Writes) -> int:
    """What the writes to a table cost."""
    return sum(
        1 if value is None else units(len(f"{key.partition}{key.key}".encode()) + len(value))
        for key, value in written.items()
        if key.table == table
    )


def _check_capacity(table: str, written: _Writes, capacity: WriteCapacity) -> None:
    needed = _units(table, written)
    if needed > capacity.units_max:
        raise ValueError(
            f"table {table!r}: this attempt needs {needed} units of write capacity, and no more "
            f"than {capacity.units_max:g} can ever be saved up: write less, or raise write_capacity"
        )

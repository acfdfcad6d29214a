"""What a batch's handler sees and writes: views and units of work, of each item and of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from ..context import Context
from ..engine.capabilities import Capabilities
from ..engine.contract import Engine
from ..engine.values import Charge, Finish, ItemKey, Work
from ..handle import Job
from ..unit import UnitOfWork, current_unit


class BatchUnits:
    """The units of work of one run: one for each item and a shared one, or one for everything.

    `together` makes it one: then items see one another's writes, and can only commit as one.
    """

    def __init__(self, engine: Engine, count: int, *, together: bool) -> None:
        self.together = together or count == 1
        self.shared = UnitOfWork(engine, bounded=count == 1)
        self.own = [self.shared if self.together else UnitOfWork(engine) for _ in range(count)]

    def works(self) -> Sequence[Work]:
        """What there is to commit, without the nothings: of everybody, the shared one last."""
        units = [self.shared] if self.together else [*self.own, self.shared]
        return [work for unit in units if (work := unit.work())]


class BatchContext(Context):
    """The batch, seen from its handler: as its first item, with a view of each by `item`.

    What is written or enqueued within `with ctx.item(i)` is that item's, elsewhere the batch's. Its
    `principal` is that of all items; None where they have several.
    """

    def __init__(self, shared: Context, views: Sequence[Context], units: BatchUnits) -> None:
        super().__init__(
            job_id=shared.job_id,
            operation=shared.operation,
            attempt=shared.attempt,
            attempts_max=shared.attempts_max,
            deadline=shared.deadline.timestamp(),
            headers=shared.headers,
            span=views[0].span,  # as all that is said of the first item
            unit=units.shared,
            enqueue=self._enqueue_here,
            principal=_common({view.principal for view in views}),
        )
        shared.span = self.span
        shared.principal = self.principal  # of what is enqueued for everybody
        self.views = views
        self._shared = shared
        self.units = units

    def item(self, index: int) -> AbstractContextManager[Context]:
        """As `Context.item`."""
        if not 0 <= index < len(self.views):
            raise IndexError(f"item {index} of a batch of {len(self.views)}: they count from 0")
        return self._within(index)

    @contextmanager
    def _within(self, index: int) -> Iterator[Context]:
        unit = current_unit.set(self.units.own[index])
        view = _current_view.set(self.views[index])
        try:
            yield self.views[index]
        finally:
            _current_view.reset(view)
            current_unit.reset(unit)

    def _enqueue_here(
        self, _: Context, handler: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Job[Any]:
        view = _current_view.get() or self._shared
        return view.enqueue(handler, *args, **kwargs)

    def progress(self, fraction: float, note: str | None = None) -> None:
        """Tell the watchers of every item."""
        for view in self.views:
            view.progress(fraction, note)

    def cancel(self) -> None:
        """Tell the handler that the whole batch is over (called by eitherway)."""
        super().cancel()
        for view in self.views:
            view.cancel()


_current_view: ContextVar[Context | None] = ContextVar("current_view", default=None)
"""The view of the item that the handler is at."""


def _common(principals: set[str | None]) -> str | None:
    """The one that there is."""
    return principals.pop() if len(principals) == 1 else None


def merged(works: Sequence[Work]) -> Work:
    """All of it as one."""
    return Work(
        checks=list(dict.fromkeys(check for work in works for check in work.checks)),
        writes=[write for work in works for write in work.writes],
        jobs=[job for work in works for job in work.jobs],
        charges=_summed(charge for work in works for charge in work.charges),
    )


def _summed(charges: Iterable[Charge]) -> list[Charge]:
    """One charge for each bucket."""
    buckets: dict[str, Charge] = {}
    for charge in charges:
        before = buckets.get(charge.bucket)
        units = charge.units + (before.units if before else 0)
        buckets[charge.bucket] = replace(charge, units=units)
    return list(buckets.values())


def overlap(works: Sequence[Work]) -> bool:
    """Whether one of them writes an item that another writes, or relies on."""
    touched: Counter[ItemKey] = Counter()
    written: set[ItemKey] = set()
    for work in works:
        writes = {write.key for write in work.writes}
        written |= writes
        touched.update(writes | {check.key for check in work.checks})
    return any(touched[key] > 1 for key in written)


def fits(work: Work, finishes: Sequence[Finish], limits: Capabilities) -> bool:
    """Whether an engine takes all this in one write."""
    keys = {write.key for write in work.writes} | {check.key for check in work.checks}
    jobs = [*work.jobs, *(job for finish in finishes for job in finish.jobs)]
    count = len(keys) + len(jobs) + max(0, len(finishes) - 1)
    size = sum(len(write.value) for write in work.writes if write.value is not None)
    size += sum(len(job.message.payload) for job in jobs)
    size += sum(len(finish.answer.body) for finish in finishes if finish.answer is not None)
    if any(charge.units > charge.units_max for charge in work.charges):
        return False
    return count <= limits.writes_per_commit_max and size <= limits.commit_bytes_max

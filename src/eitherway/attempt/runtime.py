"""An opened app: its engine and what both doors need around it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from ..clock import Clock
from ..context import Context
from ..engine.contract import Engine
from ..engine.values import NewJob, Settlement, SettleStatus
from ..errors import ConfigurationError
from ..execute import Executor, Middleware
from ..handle import Job
from ..ids import Randomness
from ..job import JobRecord
from ..operation import Operation
from ..otel import spans_of
from ..registry import Operations, message_of, new_job
from ..settings import Settings
from ..signals import Throttled
from ..spans import Spans
from ..sync_table import refuse_running_loop
from ..trace import Trace
from ..unit import UnitOfWork
from .able import check_able
from .adaptive import Teacher
from .backlog import Backlog
from .batch import BatchRunner
from .cancel import Canceler
from .forecast import Forecast
from .hub import Hub
from .limits import Limiter
from .metrics import Metrics
from .run import NO_CAPACITY, Runner
from .settle import Judge
from .settler import Settler
from .telling import Telling
from .timing import scheduled, split
from .watch import Watcher

T = TypeVar("T")

_THREADS_MAX = 1_000
_OPEN_ENDED_IN_FLIGHT = 64


class Runtime:
    """Everything that runs an app's operations in this process; what `App.open` makes."""

    def __init__(
        self,
        operations: Operations,
        engine: Engine,
        *,
        clock: Clock,
        randomness: Randomness,
        settings: Settings,
        middleware: Sequence[Middleware] = (),
    ) -> None:
        self.operations = operations
        self.engine = engine
        self.clock = clock
        self.randomness = randomness
        self.settings = settings
        self.spans: Spans = spans_of(settings, randomness.span_id)
        self.backlog = Backlog(engine, clock)
        self.limiter = Limiter(list(operations), engine, clock)
        self.executor = Executor(
            clock, middleware, _threads(operations), engine.capabilities.payload_bytes_max
        )
        self.teacher = Teacher(list(operations), self.limiter, engine, clock)
        self.runner = Runner(engine, self.executor, clock, self.teacher)
        self.batches = BatchRunner(
            engine, self.executor, clock, self.teacher, self.runner.contention
        )
        telling = Telling(randomness)
        self.canceler = Canceler(engine, clock, settings.retention_seconds, telling)
        self.judge = Judge(randomness, settings.retention_seconds, telling)
        self.settler = Settler(engine, clock)
        self.forecast = Forecast(engine, clock)
        self.metrics = Metrics()
        self.turned: float | None = None  # when the worker's loop in this process turned last
        self.hub = Hub(engine, clock)
        self.watcher = Watcher(engine, self.hub, clock)
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def worked(self) -> list[Operation]:
        """The operations that a worker in this process runs. `ConfigurationError`."""
        if self.settings.operations is None:
            return list(self.operations)
        names = [name.strip() for name in self.settings.operations.split(",")]
        found = [self.operations.named(name) for name in names]
        for name, operation in zip(names, found, strict=True):
            if operation is None:
                known = ", ".join(sorted(operation.name for operation in self.operations))
                raise ConfigurationError(f"no operation {name!r} to run: give some of {known}")
        return [operation for operation in found if operation is not None]

    def check(self) -> None:
        """`ConfigurationError` for an operation that asks more than the engine can hold."""
        for operation in self.operations:
            check_able(self.engine.capabilities, operation)

    async def open(self) -> None:
        """Open the engine, and refuse here what it cannot hold."""
        self._loop = asyncio.get_running_loop()
        self.executor.open()
        self.check()
        await self.engine.open()
        self.metrics.begin(await self.engine.statistics())
        await self.teacher.open()

    async def close(self) -> None:
        """Let go of everything."""
        await self.hub.close()
        await self.teacher.close()
        await self.limiter.close()
        self.executor.close()
        await self.engine.close()
        await self.spans.close()

    # -- attempts --------------------------------------------------------------------------------

    def enqueue_within(
        self, context: Context, handler: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Job[Any]:
        """Buffer a job in the work of an attempt: what its context enqueues by."""
        target = self.operations.of(handler)
        job = self.new_job(target, args, kwargs, context.span.child)
        job = self.spans.created(replace(job, owner=context.principal))
        context.unit.add_job(job)
        return self.handle(target, job.id)

    # -- jobs ------------------------------------------------------------------------------------

    def new_id(self) -> str:
        """An id for a call; every call has one before its handler starts."""
        return self.randomness.job_id(self.clock.now())

    def new_job(
        self,
        operation: Operation,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        trace: Trace | None = None,
    ) -> NewJob:
        """The job of a call from Python, due when its timing says. `InvalidInputError`."""
        capabilities = self.engine.capabilities
        timing, kwargs = split(operation, kwargs)
        job = new_job(
            operation,
            message_of(operation, args, kwargs),
            job_id=self.new_id(),
            now=self.clock.now(),
            payload_bytes_max=capabilities.payload_bytes_max,
            trace=trace,
        )
        return scheduled(job, timing, capabilities.delay_seconds_max) if timing else job

    async def enqueue(
        self, handler: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Job[Any]:
        """Store a job, durably on return. `InvalidInputError`, `BacklogFullError`."""
        operation = self.operations.of(handler)
        job = self.new_job(operation, args, kwargs)
        with self.spans.sending(job) as sent:
            await self.backlog.accept(operation, sent)
        return self.handle(operation, job.id)

    def handle(self, operation: Operation, job_id: str) -> Job[Any]:
        """The handle of a job."""
        return Job(job_id, self, operation.binding.decode_result)

    async def read_job(self, job_id: str) -> JobRecord:
        """The record now. `UnknownJobError`."""
        return await self.watcher.read(job_id)

    async def wait_job(self, job_id: str, timeout_seconds: float | None) -> JobRecord:
        """The record once it has ended. `TimeoutError`, `UnknownJobError`."""
        record = await self.watcher.wait(job_id, lambda job: job.done, timeout_seconds)
        if not record.done:
            raise TimeoutError(f"job {job_id} is {record.state} after {timeout_seconds:g} s")
        return record

    async def cancel_job(self, job_id: str) -> bool:
        """End it, by a write that is fenced; False where it had ended. `UnknownJobError`."""
        await self.read_job(job_id)
        (canceled,) = await self.canceler.cancel([job_id])
        return canceled

    # -- tables ----------------------------------------------------------------------------------

    def unit(self) -> UnitOfWork:
        """A fresh unit of work on the engine."""
        return UnitOfWork(self.engine)

    async def commit(self, unit: UnitOfWork) -> bool:
        """Commit a unit that belongs to no attempt; False when an item moved meanwhile.

        `Throttled` when a table has no write capacity left.
        """
        (settled,) = await self.engine.settle([Settlement(work=unit.work())])
        if settled.status is SettleStatus.THROTTLED:
            raise Throttled(NO_CAPACITY)
        return settled.status is SettleStatus.DONE

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run on the app's event loop, from a plain handler's thread."""
        if self._loop is None:
            coroutine.close()
            raise ConfigurationError("the app is not open")
        try:
            refuse_running_loop()
        except RuntimeError:
            coroutine.close()
            raise
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()


def _threads(operations: Operations) -> int:
    """Enough threads that plain handlers are held back by their limits, not by the pool."""
    wanted = sum(
        min(
            (limit.in_flight or _OPEN_ENDED_IN_FLIGHT for limit in operation.limits),
            default=_OPEN_ENDED_IN_FLIGHT,
        )
        for operation in operations
        if not operation.is_async or operation.binding.has_plain_dependencies
    )
    return max(1, min(wanted, _THREADS_MAX))

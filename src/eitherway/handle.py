"""`Job[T]`: what `enqueue` gives you to hold."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Generic, Protocol, Self, TypeVar

from .errors import JobFailedError
from .job import JobRecord, JobState

T_co = TypeVar("T_co", covariant=True)


class JobReader(Protocol):
    """Where a handle looks its job up."""

    async def read_job(self, job_id: str) -> JobRecord:
        """The record now. `UnknownJobError`."""

    async def wait_job(self, job_id: str, timeout_seconds: float | None) -> JobRecord:
        """The record once it has ended. `TimeoutError`, `UnknownJobError`."""

    async def cancel_job(self, job_id: str) -> bool:
        """End it; False where it had ended. `UnknownJobError`."""


class Job(Generic[T_co]):
    """A durable invocation whose result is a `T`. Awaiting a handle gives the handle itself."""

    def __init__(self, job_id: str, reader: JobReader, decode: Callable[[bytes], Any]) -> None:
        self.id = job_id
        self._reader = reader
        self._decode = decode

    def __await__(self) -> Generator[Any, None, Self]:
        return self
        yield  # what makes this a generator: `await ctx.enqueue(...)` and `ctx.enqueue(...)` agree

    def __repr__(self) -> str:
        return f"Job({self.id!r})"

    async def status(self) -> JobState:
        """The job's state now. `UnknownJobError` when it does not exist (any more)."""
        return (await self._reader.read_job(self.id)).state

    async def record(self) -> JobRecord:
        """The job's whole record now. `UnknownJobError` when it does not exist (any more)."""
        return await self._reader.read_job(self.id)

    async def cancel(self) -> bool:
        """End the job at once, also one that runs: then it cannot commit any more.

        True: it is `canceled` by this, durably. False: it had ended before. `UnknownJobError` when
        it does not exist (any more, or yet).
        """
        return await self._reader.cancel_job(self.id)

    async def result(self, timeout_seconds: float | None = None) -> T_co:
        """Wait for the end and give the handler's result, as its type.

        `JobFailedError` when it failed or was canceled, `TimeoutError` after `timeout_seconds`.
        """
        record = await self._reader.wait_job(self.id, timeout_seconds)
        if record.answer is None:
            problem = record.error or {"title": f"the job is {record.state}"}
            raise JobFailedError(problem, record.kind or record.state.value)
        result: T_co = self._decode(record.answer.body)
        return result

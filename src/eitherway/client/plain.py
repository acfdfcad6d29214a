"""`Client` and `Job[T]` for plain code: the async ones, run on an event loop of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, Self, TypeVar, Unpack, overload

from pydantic import TypeAdapter

from ..job import JobState
from .client import AsyncClient
from .events import Event
from .job import AsyncJob
from .loop import LoopThread
from .options import Options, RequestOptions

T = TypeVar("T")


class Client:
    """`AsyncClient` for plain code, with the same settings; a context manager.

    Threads may share one. It is not to be used after a fork: make one in each process.
    """

    def __init__(self, base_url: str, **options: Unpack[Options]) -> None:
        self._client = AsyncClient(base_url, **options)
        self._loop = LoopThread()

    def close(self) -> None:
        """Close the connections. Idempotent."""
        if not self._loop.closed:
            self._loop.run(self._client.aclose())
            self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @overload
    def call(
        self,
        method: str,
        path: str,
        *,
        result: type[T] | TypeAdapter[T],
        timeout_seconds: float | None = None,
        **request: Unpack[RequestOptions],
    ) -> T: ...
    @overload
    def call(
        self,
        method: str,
        path: str,
        *,
        result: None = None,
        timeout_seconds: float | None = None,
        **request: Unpack[RequestOptions],
    ) -> Any: ...
    def call(self, method: str, path: str, **options: Any) -> Any:
        """As `AsyncClient.call`."""
        return self._loop.run(self._client.call(method, path, **options))

    @overload
    def submit(
        self,
        method: str,
        path: str,
        *,
        result: type[T] | TypeAdapter[T],
        **request: Unpack[RequestOptions],
    ) -> Job[T]: ...
    @overload
    def submit(
        self, method: str, path: str, *, result: None = None, **request: Unpack[RequestOptions]
    ) -> Job[Any]: ...
    def submit(self, method: str, path: str, **options: Any) -> Job[Any]:
        """As `AsyncClient.submit`."""
        return Job(self._loop.run(self._client.submit(method, path, **options)), self._loop)

    @overload
    def job(self, job_id: str, *, result: type[T] | TypeAdapter[T]) -> Job[T]: ...
    @overload
    def job(self, job_id: str, *, result: None = None) -> Job[Any]: ...
    def job(self, job_id: str, *, result: Any = None) -> Job[Any]:
        """Take up a job again, by the id that it had."""
        return Job(self._client.job(job_id, result=result), self._loop)


class Job(Generic[T]):
    """`AsyncJob` for plain code."""

    def __init__(self, job: AsyncJob[T], loop: LoopThread) -> None:
        self.id = job.id
        self._job = job
        self._loop = loop

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r})"

    def result(self, timeout_seconds: float | None = None) -> T:
        """As `AsyncJob.result`."""
        return self._loop.run(self._job.result(timeout_seconds))

    def status(self) -> JobState:
        """The job's state now."""
        return self._loop.run(self._job.status())

    def document(self) -> dict[str, Any]:
        """The whole job document now."""
        return self._loop.run(self._job.document())

    def events(self, after: str | None = None) -> Iterator[Event]:
        """As `AsyncJob.events`."""
        return self._loop.iterate(self._job.events(after))

    def cancel(self) -> bool:
        """End the job: True where this ended it, False where it had ended before."""
        return self._loop.run(self._job.cancel())

"""`AsyncClient`: calls operations, and submits jobs, whichever way the server answers."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from typing import Any, Self, TypeVar, Unpack, overload
from uuid import uuid4

import httpx
from pydantic import TypeAdapter
from pydantic_core import from_json, to_json

from ..clock import Clock, SystemClock
from ..policy import Retry
from .answers import problem_of
from .job import AsyncJob, Jobs
from .options import RETRY, RequestOptions
from .results import Results
from .sending import Sender

T = TypeVar("T")

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_SPARE_SECONDS = 15.0  # for an answer from the job resource, beside what it is asked to wait


class AsyncClient:
    """The operations of the server at `base_url`; an async context manager.

    `token` is sent as `Authorization: Bearer`, `headers` with every request. `prefix` is where the
    server has its own paths (its `EITHERWAY_PREFIX`). `wait_seconds` is how long one request asks
    the server to hold it, `answer_seconds` how long an operation may take to answer one. A request
    is repeated, paced by `retry`, until the server has been of no use for `patience_seconds`.
    `http` is an `httpx.AsyncClient` of your own, for proxies and certificates; it stays open.
    """

    def __init__(
        self,
        base_url: str,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        prefix: str = "",
        wait_seconds: int = 20,
        answer_seconds: float = 70.0,
        retry: Retry = RETRY,
        patience_seconds: float = 60.0,
        http: httpx.AsyncClient | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._http = http or httpx.AsyncClient(limits=httpx.Limits())  # events hold connections
        self._is_own = http is None
        always = {name.lower(): value for name, value in (headers or {}).items()}
        if token is not None:
            always["authorization"] = f"Bearer {token}"
        self._sender = Sender(
            self._http,
            base_url,
            always,
            retry=retry,
            patience_seconds=patience_seconds,
            clock=clock or SystemClock(),
        )
        self._wait_seconds = wait_seconds
        self._answer_seconds = answer_seconds
        self._jobs = Jobs(self._sender, prefix, wait_seconds, _SPARE_SECONDS)

    async def aclose(self) -> None:
        """Close the connections. Idempotent."""
        if self._is_own:
            await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    @overload
    async def call(
        self,
        method: str,
        path: str,
        *,
        result: type[T] | TypeAdapter[T],
        timeout_seconds: float | None = None,
        **request: Unpack[RequestOptions],
    ) -> T: ...
    @overload
    async def call(
        self,
        method: str,
        path: str,
        *,
        result: None = None,
        timeout_seconds: float | None = None,
        **request: Unpack[RequestOptions],
    ) -> Any: ...
    async def call(
        self,
        method: str,
        path: str,
        *,
        result: type[T] | TypeAdapter[T] | None = None,
        timeout_seconds: float | None = None,
        **request: Unpack[RequestOptions],
    ) -> Any:
        """Have the operation run, and give its result: from the answer, or from its job.

        `ProblemError` either way where it fails, `JobCanceledError`, `NoAnswerError`;
        `TimeoutError` after `timeout_seconds`, and then a job goes on.
        """
        wait_seconds = self._wait_seconds
        if timeout_seconds is not None:
            wait_seconds = max(1, min(wait_seconds, math.floor(timeout_seconds)))
        prefer, goes_on = f"wait={wait_seconds}", ""
        try:
            async with asyncio.timeout(timeout_seconds):
                job = await self._begin(method, path, prefer, Results(result), request)
                goes_on = f"; job {job.id} goes on"
                return await job.result()
        except TimeoutError:
            text = f"{method} {path}: no result within {timeout_seconds} s{goes_on}"
            raise TimeoutError(text) from None

    @overload
    async def submit(
        self,
        method: str,
        path: str,
        *,
        result: type[T] | TypeAdapter[T],
        **request: Unpack[RequestOptions],
    ) -> AsyncJob[T]: ...
    @overload
    async def submit(
        self,
        method: str,
        path: str,
        *,
        result: None = None,
        **request: Unpack[RequestOptions],
    ) -> AsyncJob[Any]: ...
    async def submit(
        self,
        method: str,
        path: str,
        *,
        result: type[T] | TypeAdapter[T] | None = None,
        **request: Unpack[RequestOptions],
    ) -> AsyncJob[Any]:
        """Have the operation run later, and give the job: stored, once this returns.

        Of an operation that is served direct alone, it is a job that has ended. `ProblemError`,
        `NoAnswerError`.
        """
        return await self._begin(method, path, "respond-async", Results(result), request)

    @overload
    def job(self, job_id: str, *, result: type[T] | TypeAdapter[T]) -> AsyncJob[T]: ...
    @overload
    def job(self, job_id: str, *, result: None = None) -> AsyncJob[Any]: ...
    def job(self, job_id: str, *, result: type[T] | TypeAdapter[T] | None = None) -> AsyncJob[Any]:
        """Take up a job again, by the id that it had."""
        return AsyncJob(self._jobs, job_id, Results(result))

    async def _begin(
        self, method: str, path: str, prefer: str, results: Results[T], request: RequestOptions
    ) -> AsyncJob[T]:
        headers = {name.lower(): value for name, value in request.get("headers", {}).items()}
        content = None
        if "json" in request:
            content = to_json(request["json"], by_alias=True)
            headers["content-type"] = "application/json"
        if method.upper() not in _SAFE:
            headers["prefer"] = prefer
            headers["idempotency-key"] = _quoted(request.get("idempotency_key") or str(uuid4()))
        response = await self._sender.send(
            method.upper(),
            path,
            headers=headers,
            params=request.get("params"),
            content=content,
            answer_seconds=self._wait_seconds + self._answer_seconds,
        )
        if not response.is_success:
            raise problem_of(response)
        if response.status_code == 202 and "operation-location" in response.headers:
            receipt = from_json(response.content)
            return AsyncJob(self._jobs.of(receipt), receipt["id"], results)
        return AsyncJob(self._jobs, None, results, response.content)


def _quoted(key: str) -> str:
    """A key as a structured string (RFC 9651, section 3.3.3)."""
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

"""`AsyncJob[T]`: a job on a server, held by its id."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlsplit

import httpx
from pydantic_core import from_json

from ..job import JobState
from .answers import problem_of
from .errors import JobCanceledError, JobFailedError
from .events import Event, follow
from .results import Results
from .sending import Sender

T = TypeVar("T")

_SOON_SECONDS = 1.0  # an answer that comes sooner has not waited: the gateway drains


class Jobs:
    """The job resource of one server."""

    def __init__(
        self,
        sender: Sender,
        prefix: str,
        wait_seconds: int,
        spare_seconds: float,
        query: str = "",
    ) -> None:
        self._sender = sender
        self._prefix = prefix.rstrip("/")
        self._wait_seconds = wait_seconds
        self._spare_seconds = spare_seconds
        self._query = query

    def of(self, receipt: Mapping[str, Any]) -> Jobs:
        """The same, as a receipt links them: it says since when a job waits without a record."""
        query = urlsplit(receipt.get("links", {}).get("self", "")).query
        query = f"?{query}" if query else ""
        return Jobs(self._sender, self._prefix, self._wait_seconds, self._spare_seconds, query)

    async def read(self, job_id: str, wait_seconds: int = 0) -> bytes:
        """The job document; with a wait, as soon as the job has ended. `ProblemError`."""
        wait = {"prefer": f"wait={wait_seconds}"} if wait_seconds else {}
        answer_seconds = wait_seconds + self._spare_seconds
        response = await self._send("GET", job_id, wait, answer_seconds)
        if response.status_code != 200:
            raise problem_of(response)
        return response.content

    async def ended(self, job_id: str) -> bytes:
        """The job document once the job has ended, however long it takes. `ProblemError`."""
        clock = self._sender.clock
        while True:
            asked = clock.monotonic()
            document = await self.read(job_id, self._wait_seconds)
            if from_json(document)["done"]:
                return document
            if clock.monotonic() - asked < _SOON_SECONDS:
                await clock.sleep(self._sender.uniform(_SOON_SECONDS / 2, _SOON_SECONDS))

    async def cancel(self, job_id: str) -> bool:
        """End it. False where it had ended, or is not kept any more. `ProblemError`."""
        if from_json(await self.read(job_id))["done"]:
            return False  # to DELETE what has ended would hide it, and its result
        response = await self._send("DELETE", job_id, {}, self._spare_seconds)
        if response.status_code in (204, 410):
            return False
        if response.status_code != 200:
            raise problem_of(response)
        return True

    def events(self, job_id: str, after: str | None) -> AsyncGenerator[Event, None]:
        """Its events, up to the final one."""
        return follow(self._sender, self._path(job_id, "/events"), after)

    async def _send(
        self, method: str, job_id: str, headers: dict[str, str], answer_seconds: float
    ) -> httpx.Response:
        return await self._sender.send(
            method, self._path(job_id), headers=headers, answer_seconds=answer_seconds
        )

    def _path(self, job_id: str, below: str = "") -> str:
        return f"{self._prefix}/jobs/{quote(job_id, safe='')}{below}{self._query}"


class AsyncJob(Generic[T]):
    """A job whose result is a `T`. `id` is None where the server answered at once: no job is kept.

    Its methods raise `ProblemError` (404, 410: the job is not kept any more) and `NoAnswerError`.
    """

    def __init__(
        self, jobs: Jobs, job_id: str | None, results: Results[T], answer: bytes = b""
    ) -> None:
        self.id = job_id
        self._jobs = jobs
        self._results = results
        self._answer = answer

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r})"

    async def result(self, timeout_seconds: float | None = None) -> T:
        """Wait for the end and give the result, as its type.

        `JobFailedError`, `JobCanceledError`; `TimeoutError` after `timeout_seconds`, and then the
        job goes on. Gateways may be cut off, and restart, meanwhile.
        """
        if self.id is None:
            return self._results.read(self._answer)
        try:
            async with asyncio.timeout(timeout_seconds):
                body = await self._jobs.ended(self.id)
        except TimeoutError:
            text = f"job {self.id}: no result within {timeout_seconds} s; it goes on"
            raise TimeoutError(text) from None
        document = from_json(body)
        match document["status"]:
            case "failed":
                raise JobFailedError(self.id, document.get("error", {}))
            case "canceled":
                raise JobCanceledError(self.id)
        return self._results.of_document(body)

    async def status(self) -> JobState:
        """The job's state now."""
        return JobState((await self.document())["status"])

    async def document(self) -> dict[str, Any]:
        """The whole job document now."""
        if self.id is None:
            result = from_json(self._answer or b"null")
            return {"id": None, "status": "succeeded", "done": True, "result": result}
        document: dict[str, Any] = from_json(await self._jobs.read(self.id))
        return document

    async def events(self, after: str | None = None) -> AsyncGenerator[Event, None]:
        """What happens to the job, each event once, up to the final one.

        It begins with how the job is now or, given the `cursor` of an event, after that one. Of a
        job that was answered at once there are none.
        """
        if self.id is not None:
            async with aclosing(self._jobs.events(self.id, after)) as events:
                async for event in events:
                    yield event

    async def cancel(self) -> bool:
        """End the job: True where this ended it, False where it had ended before."""
        return self.id is not None and await self._jobs.cancel(self.id)

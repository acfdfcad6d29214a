"""What a caller gets whose job is stored: the result, if it ends while they wait, else a 202."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from ..attempt.forecast import Outlook
from ..attempt.runtime import Runtime
from ..engine.values import NewJob
from ..errors import EngineError, UnknownJobError
from ..job import JobRecord, JobState
from ..operation import Operation
from ..problem import Answer
from .documents import job_document, outlook_of
from .preference import NONE, VARY, Preferences, applied
from .receipt_form import ReceiptForm, fields_of_receipt
from .routes import Request
from .whole import Lines, lines_of
from .wire import (
    ClientGoneError,
    Header,
    base_url,
    respond,
    respond_answer,
    respond_lines,
    url_of,
)

T = TypeVar("T")
_VARY = lines_of([VARY])


class Receipts:
    """Answers for jobs, which are safe in the store: whatever happens here, they go on."""

    def __init__(self, runtime: Runtime, operation: Operation, jobs_path: str) -> None:
        self._durability = runtime.engine.capabilities.durability
        self._form = ReceiptForm(operation, self._durability)
        self._runtime = runtime
        self._jobs_path = jobs_path
        self._public_url = runtime.settings.public_url

    async def answer(
        self, request: Request, record: JobRecord, wished: Preferences, wait_seconds: float | None
    ) -> None:
        """Wait for the job as long as was wished, then answer as a direct call, or with a 202."""
        if wait_seconds:
            record = await self._ended(request, record, wait_seconds)
        else:
            wait_seconds = None
        if record.done and record.state is not JobState.CANCELED:
            fields = applied(responded_async=False, waited_seconds=wait_seconds)
            await respond_answer(request.send, answer_of(record), fields, head=request.head)
        else:
            await self.accepted(request, record, wished, wait_seconds)

    async def accepted(
        self,
        request: Request,
        record: JobRecord,
        wished: Preferences,
        waited: float | None = None,
        *,
        is_new: bool = True,
    ) -> None:
        """Answer with a 202 and the job as it is; `waited` is the wait that was granted before."""
        jobs_url = self._jobs_url(request)
        outlook = await outlook_of(self._runtime, record, accepted=int(is_new and not waited))
        document = job_document(record, self._durability, jobs_url, outlook)
        fields = fields_of_receipt(f"{jobs_url}/{record.id}", done=record.done)
        fields += _honoured(wished, waited)
        await respond(request.send, 202, document, headers=fields)

    async def stored(self, request: Request, job: NewJob, wished: Preferences) -> None:
        """The same, for a job that has just been stored and that nobody waits for."""
        jobs_url = self._jobs_url(request)
        outlook = await self._runtime.forecast.of(job.operation, accepted=1)
        lines, document = self._form.filled(job, jobs_url, outlook)
        if wished is not NONE:
            lines = Lines(lines + lines_of(_honoured(wished, None)))
        await respond_lines(request.send, 202, lines, document)

    def at_hand(
        self, job: NewJob, scheme: str, host: bytes, outlook: Outlook
    ) -> tuple[Lines, bytes]:
        """The same answer, whole, by what is known of the job's turn."""
        url = self._public_url.rstrip("/") if self._public_url else url_of(scheme, host)
        lines, document = self._form.filled(job, url + self._jobs_path, outlook)
        return Lines(lines + _VARY), document

    def _jobs_url(self, request: Request) -> str:
        return base_url(request.scope, self._public_url) + self._jobs_path

    async def _ended(self, request: Request, record: JobRecord, wait_seconds: float) -> JobRecord:
        """The record at its end, or as it is after the wait; as it was, where nobody can tell."""
        watching = self._runtime.watcher.wait(record.id, lambda job: job.done, wait_seconds)
        try:
            return await while_connected(request, watching)
        except (EngineError, UnknownJobError):
            return record  # it is stored, whatever hinders us to look at it


def _honoured(wished: Preferences, waited: float | None) -> list[Header]:
    """What a 202 says of the request's preferences."""
    asked = wished.respond_async or wished.wait_seconds is not None
    return applied(responded_async=asked, waited_seconds=waited)


def answer_of(record: JobRecord) -> Answer:
    """What a direct call would have answered, of a job that has ended."""
    return record.answer or Answer.of_problem(record.error or {"status": 500})


async def while_connected(request: Request, waiting: Coroutine[Any, Any, T]) -> T:
    """What `waiting` gives; when the client hangs up before, it ends, with `ClientGoneError`."""
    task = asyncio.ensure_future(waiting)
    gone = asyncio.ensure_future(_hung_up(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGoneError("the client hung up")
        return task.result()
    finally:
        for pending in (task, gone):
            pending.cancel()
        await asyncio.wait({task, gone})


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass  # the rest of a body that nobody reads

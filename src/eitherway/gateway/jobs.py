"""The job resource: `/jobs/{id}` with its long poll and its end, and `/jobs/{id}/result`."""

from __future__ import annotations

from collections.abc import Callable

from ..attempt.runtime import Runtime
from ..errors import UnknownJobError
from ..job import JobRecord, JobState, may_see
from ..problem import Problem
from .documents import job_document, outlook_of
from .preference import VARY, Preferences, applied
from .receipts import answer_of, while_connected
from .routes import Request
from .unseen import accepted_at, unseen_document
from .wire import (
    Header,
    RefusedError,
    base_url,
    entity_tags,
    header,
    respond,
    respond_answer,
    retry_after,
)

_RETRY_AFTER_SECONDS = 1.0
_CANCELED_AGAIN_SECONDS = 60.0
_CACHING: list[Header] = [(b"cache-control", b"private, no-cache"), VARY]


_NO_STORE: Header = (b"cache-control", b"no-store")
_RETENTION_OVER = "the job's retention is over"


class JobResource:
    """Shows jobs to those whose they are, or who know their id, and lets them end them."""

    def __init__(self, runtime: Runtime, jobs_path: str) -> None:
        self._runtime = runtime
        self._jobs_path = jobs_path

    async def show(self, request: Request) -> None:
        """`GET /jobs/{id}`: the document; with `Prefer: wait=n`, as soon as its ETag moves."""
        seen = entity_tags(header(request.scope, b"if-none-match"))
        wished = Preferences.of(request)
        wait_seconds = wished.wait_within(self._runtime.settings.wait_seconds_max)
        try:
            record = await self._read(request, seen, wait_seconds)
        except _UnseenError as unseen:
            await self._respond_unseen(request, unseen)
            return
        fields: list[Header] = [(b"etag", _etag(record)), *_CACHING]
        fields += applied(responded_async=False, waited_seconds=wait_seconds)
        if not record.done:
            fields.append(retry_after(_RETRY_AFTER_SECONDS))
        if seen & {_etag(record), b"*"}:
            await respond(request.send, 304, b"", headers=fields)
            return
        await self._respond(request, record, fields)

    async def delete(self, request: Request) -> None:
        """`DELETE /jobs/{id}`: ends a job; one that has ended is shown to operators alone."""
        before = await self._find(request)
        if not before.done:
            await self._runtime.canceler.cancel([before.id])
        # Canceled here, or by another one; or it had ended before that could be.
        record = await self._find(request)
        now = self._runtime.clock.now()
        again = now - (record.finished or now) <= _CANCELED_AGAIN_SECONDS
        if record.state is JobState.CANCELED and again:
            await self._respond(request, record, [(b"etag", _etag(record)), *_CACHING])
        else:
            await self._runtime.engine.hide([record.id])
            await respond(request.send, 204, b"")

    async def result(self, request: Request) -> None:
        """`GET /jobs/{id}/result`: byte for byte what a direct call would have answered."""
        caching: list[Header] = [(b"cache-control", b"private, no-cache")]
        try:
            record = await self._find(request)
        except _UnseenError:
            raise _not_ready("the job is queued", caching) from None
        if record.state is JobState.CANCELED:
            raise RefusedError(Problem.of("result-not-ready", "the job was canceled"), caching)
        if not record.done:
            raise _not_ready(f"the job is {record.state}", caching)
        await respond_answer(request.send, answer_of(record), caching, head=request.head)

    async def _respond(self, request: Request, record: JobRecord, fields: list[Header]) -> None:
        url = base_url(request.scope, self._runtime.settings.public_url) + self._jobs_path
        durability = self._runtime.engine.capabilities.durability
        outlook = await outlook_of(self._runtime, record)
        body = job_document(record, durability, url, outlook)
        await respond(request.send, 200, body, headers=fields, head=request.head)

    async def _respond_unseen(self, request: Request, unseen: _UnseenError) -> None:
        url = base_url(request.scope, self._runtime.settings.public_url) + self._jobs_path
        durability = self._runtime.engine.capabilities.durability
        body = unseen_document(request.params["id"], unseen.accepted, durability, url)
        fields = [*_CACHING, retry_after(_RETRY_AFTER_SECONDS)]
        await respond(request.send, 200, body, headers=fields, head=request.head)

    async def _find(self, request: Request) -> JobRecord:
        try:
            return self._shown(await self._runtime.read_job(request.params["id"]), request.owner)
        except UnknownJobError:
            raise await self._missing(request) from None

    async def _read(
        self, request: Request, seen: set[bytes], wait_seconds: float | None
    ) -> JobRecord:
        if wait_seconds is None:
            return await self._find(request)
        if not seen:  # no ETag to move from: wait for the end
            return await self._wait(request, lambda record: record.done, wait_seconds)
        return await self._wait(
            request, lambda record: record.done or _etag(record) not in seen, wait_seconds
        )

    async def _wait(
        self, request: Request, until: Callable[[JobRecord], bool], wait_seconds: float
    ) -> JobRecord:
        def shown(record: JobRecord) -> bool:  # nobody waits for what they may not see
            return not may_see(record.owner, request.owner) or until(record)

        try:
            watching = self._runtime.watcher.wait(request.params["id"], shown, wait_seconds)
            return self._shown(await while_connected(request, watching), request.owner)
        except UnknownJobError:
            raise await self._missing(request) from None

    def _shown(self, record: JobRecord, owner: str | None) -> JobRecord:
        """The record, unless it is another's, for operators alone, or only not deleted yet."""
        if not may_see(record.owner, owner):
            raise _unknown()
        if record.hidden:
            raise _unknown("the job was deleted")
        if record.expires is not None and record.expires <= self._runtime.clock.now():
            raise _gone(_RETENTION_OVER)
        return record

    async def _missing(self, request: Request) -> RefusedError:
        (gone,) = await self._runtime.engine.gone([request.params["id"]])
        if gone is None and (accepted := accepted_at(request, self._runtime)) is not None:
            return _UnseenError(accepted)
        if gone is None or not may_see(gone.owner, request.owner):
            return _unknown()
        return _gone(_RETENTION_OVER)


class _UnseenError(RefusedError):
    """Nobody knows the job, and it may wait in a queue; whoever cannot say so says 404."""

    def __init__(self, accepted: float) -> None:
        super().__init__(Problem.of("unknown-job", "no worker has taken the job yet"))
        self.accepted = accepted


def _not_ready(detail: str, caching: list[Header]) -> RefusedError:
    after = _RETRY_AFTER_SECONDS
    return RefusedError(Problem.of("result-not-ready", detail, retry_after_seconds=after), caching)


def _gone(detail: str) -> RefusedError:
    return RefusedError(Problem.of("job-gone", detail), [_NO_STORE])


def _unknown(detail: str = "no job has this id, or its retention is long over") -> RefusedError:
    return RefusedError(Problem.of("unknown-job", detail))


def _etag(record: JobRecord) -> bytes:
    """Weak (RFC 9110, section 8.8.1): moves with the record's revision."""
    return b'W/"%d"' % record.revision

"""Server-Sent Events (WHATWG HTML, section 9.2): one job's stream, and one for several jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ...attempt.hub import News
from ...attempt.polling import Found, PollingWatcher
from ...attempt.runtime import Runtime
from ...auth import Principal
from ...clock import Timer
from ...errors import EngineError, EngineUnavailableError
from ...job import JobRecord
from ...problem import Problem
from ..kept import missing
from ..routes import Request
from ..unseen import accepted_at
from ..wire import Header, Receive, RefusedError, Send, base_url, header, query, respond
from .admission import Admission, check_owned, jobs_of
from .cloudevents import Envelopes
from .entrance import Entrance
from .feed import NORMAL, Feed
from .lifetime import Holds
from .polled import Polled

COMMENT_SECONDS = 15.0
_RETRY = b"retry: 1000\n\n"  # milliseconds until a browser comes back
_HEADERS: list[Header] = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # a proxy that gathers would hold events back
]


class EventStreams:
    """`GET /jobs/{id}/events` and `GET /events`."""

    def __init__(
        self,
        runtime: Runtime,
        admission: Admission,
        jobs_path: str,
        entrance: Entrance | None = None,
    ) -> None:
        self._entrance = entrance
        self._runtime = runtime
        self._admission = admission
        self._jobs_path = jobs_path

    async def of_job(self, request: Request) -> None:
        """`GET /jobs/{id}/events`: ends after the job's final event."""
        await self._let_in(request)
        await self._serve(request, [request.params["id"]])

    async def of_jobs(self, request: Request) -> None:
        """`GET /events?jobs=a,b`: ends after the last one's final event.

        Without jobs all of the caller's, without an end.
        """
        await self._let_in(request)
        jobs = jobs_of(query(request.scope))
        if jobs:
            await self._serve(request, jobs)
            return
        check_owned(self._runtime, request.principal)
        await self._stream(request, None, _cursor(request))

    async def _let_in(self, request: Request) -> None:
        if self._entrance is not None:
            request.principal = await self._entrance.of_stream(request.scope)

    async def _serve(self, request: Request, jobs: Sequence[str]) -> None:
        self._admission.check_jobs(len(jobs))
        found = await self._runtime.engine.get(jobs)
        unknown, gone = await missing(self._runtime, jobs, found, request.owner)
        there = dict(zip(jobs, found, strict=True))
        if unknown and not self._may_come(request, [there[each] for each in unknown]):
            detail = f"no job is {unknown[0]}, or its retention is long over"
            raise RefusedError(Problem.of("unknown-job", detail))
        if gone:
            detail = f"job {gone[0]} was deleted, or its retention is over"
            raise RefusedError(Problem.of("job-gone", detail), [(b"cache-control", b"no-store")])
        after, watcher = _cursor(request), self._runtime.watcher
        if isinstance(watcher, PollingWatcher):
            await self._poll(request, watcher, Polled(jobs, after), found)
        elif after is not None and await self._nothing_left(jobs, found, after):
            await respond(request.send, 204, b"")  # a browser comes back no more
        else:
            await self._stream(request, jobs, after)

    def _may_come(self, request: Request, records: Found) -> bool:
        """Whether these jobs may wait in a queue, without a record, for whoever looks again."""
        polls = isinstance(self._runtime.watcher, PollingWatcher)
        accepted = accepted_at(request, self._runtime)
        return polls and accepted is not None and all(record is None for record in records)

    async def _poll(
        self, request: Request, watcher: PollingWatcher, polled: Polled, found: Found
    ) -> None:
        if polled.nothing_left(found):
            await respond(request.send, 204, b"")
        elif await self._begin(request):
            await request.send({"type": "http.response.body", "body": _RETRY, "more_body": True})
            await polled.write(request, watcher, self._envelopes(request))

    async def _begin(self, request: Request) -> bool:
        """Send the headers; False where that is all that was asked for."""
        await request.send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        if request.head:
            await request.send({"type": "http.response.body", "body": b""})
        return not request.head

    def _envelopes(self, request: Request) -> Envelopes:
        url = base_url(request.scope, self._runtime.settings.public_url) + self._jobs_path
        return Envelopes(url, self._runtime.engine.capabilities.durability)

    async def _stream(
        self, request: Request, jobs: Sequence[str] | None, after: str | None
    ) -> None:
        with self._admission.connection():
            if not await self._begin(request):
                return
            holds = None if self._entrance is None else self._entrance.holds
            stream = _Stream(
                self._runtime, request.send, self._envelopes(request), request.principal, holds
            )
            await stream.run(request.receive, jobs, after)

    async def _nothing_left(
        self, jobs: Sequence[str], records: Sequence[JobRecord | None], after: str
    ) -> bool:
        if not all(record is not None and record.done for record in records):
            return False
        try:
            lag = self._runtime.engine.capabilities.events_lag_seconds
            page = await self._runtime.engine.events(after, lag, jobs=jobs)
        except EngineUnavailableError:
            raise
        except EngineError:  # no such cursor: the stream says so
            return False
        return page.is_end and not page.events


class _Stream:
    """One open response: the `Channel` of a `Feed`."""

    name = "sse"

    def __init__(
        self,
        runtime: Runtime,
        send: Send,
        envelopes: Envelopes,
        principal: Principal | None,
        holds: Holds | None,
    ) -> None:
        self._send = send
        self._envelopes = envelopes
        self._clock = runtime.clock
        self._feed = Feed(runtime, self, principal, holds)
        self._open: set[str] = set()  # jobs that have not ended
        self._reset: set[str] = set()  # jobs whose reader may have missed something
        self._begins_again = False  # the reader of all their jobs may have missed something
        self._caught_up = False
        self._timer: Timer | None = None

    async def run(self, receive: Receive, jobs: Sequence[str] | None, after: str | None) -> None:
        """Stream until all jobs have ended, or the reader or the gateway goes.

        Without jobs all of the reader's, which never have ended.
        """
        await self._write(_RETRY)
        if jobs is None:
            self._feed.subscribe_owned(after)
        else:
            self._open = set(jobs)
            self._feed.subscribe(jobs, after)
        self._beat_later()
        reader = asyncio.create_task(self._until_gone(receive))
        try:
            await self._feed.finished
        finally:
            reader.cancel()
            self._feed.stop()
            if self._timer is not None:
                self._timer.cancel()

    async def tell(self, news: News) -> None:
        """Write an event; after the last job's final one, the end."""
        job_id, cursor = news.event.job_id, news.event.cursor
        kind = b""
        if job_id in self._reset:
            self._reset.discard(job_id)
            kind = b"event: reset\n"
        line = b"id: %s\n" % cursor.encode() if cursor else b""
        await self._write(b"%s%sdata: %s\n\n" % (kind, line, self._envelopes.write(news)))
        if news.event.state.done:
            self._open.discard(job_id)
        else:
            self._open.add(job_id)  # also again, when a dead letter was redriven
        self._end_if_done()

    async def caught_up(self, records: Sequence[JobRecord]) -> None:
        """Forget those that had ended before the reader's cursor."""
        self._open.difference_update(record.id for record in records if record.done)
        self._caught_up = True
        self._end_if_done()

    async def lost(self, jobs: Sequence[str] | None) -> bool:
        """Begin again, and say so."""
        self._begins_again = jobs is None
        self._reset = set(jobs or ())
        return True

    async def begins(self, cursor: str) -> None:
        """Give the reader a cursor to come back with, also before the first event."""
        said = b"event: reset\ndata: {}\n" if self._begins_again else b""
        await self._write(b"%sid: %s\n\n" % (said, cursor.encode()))

    async def close(self, code: int, reason: str) -> None:  # noqa: ARG002 - streams have no reason
        """End the response; a browser comes back with its cursor."""
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    def _end_if_done(self) -> None:
        if self._caught_up and not self._open:
            self._feed.end(NORMAL)

    async def _write(self, chunk: bytes) -> None:
        await self._send({"type": "http.response.body", "body": chunk, "more_body": True})

    async def _comment(self) -> None:
        await self._write(b":\n\n")

    def _beat_later(self) -> None:
        self._timer = self._clock.call_later(COMMENT_SECONDS, self._beat)

    def _beat(self) -> None:
        self._feed.beat(self._comment)
        self._beat_later()

    async def _until_gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._feed.stop()


def _cursor(request: Request) -> str | None:
    """Where the reader was: a browser that comes back says it, others may with `?after=`."""
    told = header(request.scope, b"last-event-id")
    if told is not None:
        return told.decode("latin-1")
    return query(request.scope).get("after")

"""What one connection hears of its jobs: from a cursor on, per job in order, once each."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

from ...attempt.hub import News, read_news
from ...attempt.runtime import Runtime
from ...auth import Principal
from ...errors import EngineError, EngineUnavailableError
from ...job import JobRecord
from ..kept import missing
from .lifetime import Holds, Lifetime
from .outbox import Outbox, Step
from .owned import OwnedJobs
from .replay import event_of

logger = logging.getLogger("eitherway.gateway")

_CLOSE_SECONDS = 10.0

NORMAL, RESTART, BUSY, BUG = 1000, 1012, 1013, 1011
EXPIRED, UNKNOWN_JOB, GONE = 4401, 4404, 4410
"""Why a connection ends, in the codes of RFC 6455 and 4000 plus a status of HTTP."""


class Channel(Protocol):
    """How a connection writes. Its methods are called one at a time."""

    name: str  # of the transport

    async def tell(self, news: News) -> None:
        """Write an event."""

    async def caught_up(self, records: Sequence[JobRecord]) -> None:
        """What there was of these jobs has been told; the records are from before that."""

    async def lost(self, jobs: Sequence[str] | None) -> bool:
        """The cursor given for these jobs is none. True: go on from how they are now.

        None: all of an owner's.
        """

    async def begins(self, cursor: str) -> None:
        """An owner's jobs are followed from here on."""

    async def close(self, code: int, reason: str) -> None:
        """Write the end, for the reader."""


class Feed:
    """Listens to the hub on behalf of a connection, and reads from the engine what came before.

    `finished` is done when the connection is over. A reader that falls more than
    `push_queue_max` events behind what happens is let go: it may come back with its cursor.
    """

    def __init__(
        self,
        runtime: Runtime,
        channel: Channel,
        principal: Principal | None = None,
        holds: Holds | None = None,
    ) -> None:
        self._runtime = runtime
        self._engine = runtime.engine
        self._clock = runtime.clock
        self._spans = runtime.spans
        self._owner = None if principal is None else principal.id
        self._owned: OwnedJobs | None = None
        self._hub = runtime.hub
        self._queue_max = runtime.settings.push_queue_max
        self._channel = channel
        self._last: dict[str, int] = {}  # of each job, the event told last
        self._behind: set[str] = set()  # jobs that are read from the engine, not from the hub
        self._missed = False  # something happened to those meanwhile
        self._outbox = Outbox(self._failed)
        self._over = False
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lifetime = Lifetime(runtime.clock, principal, holds, self._expired)

    @property
    def jobs(self) -> int:
        """How many jobs are followed."""
        return len(self._last)

    def subscribe(self, jobs: Iterable[str], after: str | None) -> None:
        """Tell of these jobs too: from the cursor on, else beginning with how they are now."""
        new = [job_id for job_id in dict.fromkeys(jobs) if job_id not in self._last]
        if new and not self._over:
            self._last |= dict.fromkeys(new, 0)
            self._behind |= set(new)
            self._outbox.put(partial(self._catch_up, new, after))

    def subscribe_owned(self, after: str | None) -> None:
        """Tell of all jobs of the reader: from the cursor on, else from now on."""
        if self._owner is not None and self._owned is None and not self._over:
            self._owned = OwnedJobs(self._engine, self._hub, self, self._owner)
            self._outbox.put(partial(self._catch_up_owned, self._owned, after))

    def unsubscribe(self, jobs: Iterable[str]) -> None:
        """Tell of these jobs no more."""
        gone = [job_id for job_id in jobs if self._last.pop(job_id, None) is not None]
        self._behind.difference_update(gone)
        self._hub.leave(self, gone)

    def end(self, code: int, reason: str = "") -> None:
        """Write the end once what is under way is dropped. Idempotent."""
        if not self._over:
            self._leave()
            self._outbox.end(partial(self._close, code, reason))

    def stop(self) -> None:
        """The reader has gone. Idempotent."""
        self._leave()
        self._outbox.end()
        self._finish()

    def beat(self, step: Step) -> None:
        """Write this unless something else is being written."""
        if not (self._over or self._outbox.busy):
            self._outbox.put(step)

    # -- of the hub ------------------------------------------------------------------------------

    def told(self, news: News) -> None:
        """Queue it; or let a reader go that is too slow."""
        job_id = news.event.job_id
        if job_id in self._behind:
            self._missed = True
        elif self._owned is not None and self._owned.behind and job_id not in self._last:
            self._owned.missed = True
        elif len(self._outbox) >= self._queue_max:
            self.end(BUSY, "too slow: come back with your cursor")
        else:
            self._outbox.put(partial(self._tell, news))

    def ended(self) -> None:
        """Send the reader elsewhere."""
        self.end(RESTART, "restarting: come back with your cursor")

    # -- steps of the outbox ---------------------------------------------------------------------

    async def _catch_up(self, wanted: Sequence[str], after: str | None) -> None:
        jobs = [job_id for job_id in wanted if job_id in self._last]
        await self._hub.join(self, jobs)
        found = dict(zip(jobs, await self._engine.get(jobs), strict=True))
        unknown, gone = await missing(self._runtime, jobs, list(found.values()), self._owner)
        if unknown or gone:
            kind, named = ("unknown", unknown) if unknown else ("gone", gone)
            self.end(UNKNOWN_JOB if unknown else GONE, f"{kind}: {' '.join(named)}")
            return
        records = [record for record in found.values() if record is not None]
        cursor = after
        if cursor is not None and not await self._is_cursor(cursor, jobs[:1]):
            if not await self._channel.lost(jobs):
                self.end(GONE, "no such cursor: subscribe without one")
                return
            cursor = None
        if cursor is None:
            cursor = await self._begin(jobs)
        until = self._clock.monotonic() + self._engine.capabilities.events_lag_seconds
        while True:
            self._missed = False
            page = await self._engine.events(cursor, self._doubt(records, until), jobs=jobs)
            cursor = page.cursor
            for news in await read_news(self._engine, page.events):
                await self._tell(news)
            is_read = page.is_end and not page.events and not self._missed
            if is_read and not self._doubt(records, until):
                break
            await asyncio.sleep(0)  # others have their turn: neither read nor write may have waited
        self._behind.difference_update(jobs)
        await self._channel.caught_up(records)

    def _doubt(self, records: Iterable[JobRecord], until: float) -> float:
        """For how many seconds the log may not tell yet how some of them ended."""
        ended = (each for each in records if each.done)
        told = all(self._last.get(each.id, each.revision) >= each.revision for each in ended)
        return 0.0 if told else max(0.0, until - self._clock.monotonic())

    async def _begin(self, jobs: Sequence[str]) -> str:
        """Tell how the jobs are now. The last event has a cursor from which all of them go on."""
        cursor = (await self._engine.events(None, 0)).cursor
        records = [record for record in await self._engine.get(jobs) if record is not None]
        seen = {record.id: record.revision for record in records}
        for event in (await self._engine.events(cursor, 0, jobs=jobs)).events:
            if event.sequence > seen.get(event.job_id, 0):
                break
            cursor = event.cursor  # committed meanwhile, and in the record already
        for record in records:
            event = event_of(record)
            if record is records[-1]:
                event = replace(event, cursor=cursor)
            await self._tell(News(event, record))
        return cursor

    async def _catch_up_owned(self, owned: OwnedJobs, after: str | None) -> None:
        cursor, lost = await owned.begin(after)
        if lost and not await self._channel.lost(None):
            self.end(GONE, "no such cursor: connect without one")
            return
        await self._channel.begins(cursor)
        await owned.catch_up(cursor, self._tell)

    async def _is_cursor(self, cursor: str, job: Sequence[str]) -> bool:
        try:
            await self._engine.events(cursor, 0, jobs=job)
        except EngineUnavailableError:
            raise
        except EngineError:
            return False
        return True

    async def _tell(self, news: News) -> None:
        job_id, sequence = news.event.job_id, news.event.sequence
        if job_id in self._last:
            if sequence > self._last[job_id]:
                self._last[job_id] = sequence
                await self._told(news)
        elif self._owned is not None and self._owned.covers(news) and self._owned.is_new(news):
            await self._told(news)

    async def _told(self, news: News) -> None:
        if news.event.state.done and self._spans.exports:
            with self._spans.telling(news.record, self._channel.name):
                await self._channel.tell(news)
        else:
            await self._channel.tell(news)

    async def _close(self, code: int, reason: str) -> None:
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._channel.close(code, reason)
        finally:
            self._finish()

    # -- ending ----------------------------------------------------------------------------------

    def _failed(self, error: Exception) -> None:
        if isinstance(error, OSError) or self._over:  # the reader has gone, as servers say it
            self.stop()
        elif isinstance(error, EngineUnavailableError):
            self.end(BUSY, "the store does not answer")
        else:
            logger.error("push to one reader failed", exc_info=error)
            self.end(BUG, "")

    def _expired(self) -> None:
        self.end(EXPIRED, "the credential does not hold any more: come back with a new one")

    def _leave(self) -> None:
        self._over = True
        self._hub.leave(self, self._last)
        if self._owned is not None:
            self._owned.leave()
        self._lifetime.cancel()

    def _finish(self) -> None:
        if not self.finished.done():
            self.finished.set_result(None)

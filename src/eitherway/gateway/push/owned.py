"""Following all jobs of an owner, also those that are accepted later."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from ...attempt.hub import Hub, Listener, News, read_news
from ...engine.contract import Engine
from ...engine.event_query import OwnedBy
from ...errors import EngineError, EngineUnavailableError

_SEEN_MAX = 2_000  # jobs: some pages of events, and so further than the hub may be behind

Tell = Callable[[News], Awaitable[None]]


class OwnedJobs:
    """What a listener hears of an owner's jobs: from a cursor on, per job in order, once each.

    What there was is read from the engine. The hub may tell some of that again, as far as it was
    behind: the jobs that were told of last are remembered, to leave that out.
    """

    def __init__(self, engine: Engine, hub: Hub, listener: Listener, owner: str) -> None:
        self._engine = engine
        self._hub = hub
        self._listener = listener
        self._jobs = OwnedBy(owner=owner)
        self._seen: OrderedDict[str, int] = OrderedDict()  # of each job, the event told last
        self.behind = True  # what there was is being read: what the hub tells is to be found there
        self.missed = False  # it told something meanwhile

    def covers(self, news: News) -> bool:
        """Whether it is of one of the owner's jobs."""
        return news.record.owner == self._jobs.owner and not news.record.hidden

    async def begin(self, after: str | None) -> tuple[str, bool]:
        """The cursor to begin at, and whether `after` was none of this log's."""
        if after is not None:
            try:
                await self._engine.events(after, 0, jobs=self._jobs)
            except EngineUnavailableError:
                raise
            except EngineError:
                return (await self._engine.events(None, 0)).cursor, True
            return after, False
        return (await self._engine.events(None, 0)).cursor, False

    async def catch_up(self, cursor: str, tell: Tell) -> None:
        """Tell what there is after the cursor; then the hub tells, and `is_new` says of what."""
        await self._hub.join(self._listener, self._jobs)
        while True:
            self.missed = False
            page = await self._engine.events(cursor, 0, jobs=self._jobs)
            cursor = page.cursor
            for news in await read_news(self._engine, page.events):
                await tell(news)
            if page.is_end and not page.events and not self.missed:
                break
            await asyncio.sleep(0)  # others have their turn
        self.behind = False

    def is_new(self, news: News) -> bool:
        """Whether that was not told yet."""
        job_id, sequence = news.event.job_id, news.event.sequence
        if sequence <= self._seen.get(job_id, 0):
            return False
        self._seen[job_id] = sequence
        self._seen.move_to_end(job_id)
        while len(self._seen) > _SEEN_MAX:
            self._seen.popitem(last=False)
        return True

    def leave(self) -> None:
        """Hear no more."""
        self._hub.leave(self._listener, self._jobs)

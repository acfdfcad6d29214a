"""One tail of the event log per process, fanned out to those who listen to some jobs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import ParamSpec, Protocol, TypeVar

from ..clock import Clock
from ..engine.contract import Engine
from ..engine.event_query import OwnedBy
from ..engine.values import Event
from ..errors import EngineError, EngineUnavailableError
from ..job import JobRecord

logger = logging.getLogger("eitherway")

P = ParamSpec("P")
T = TypeVar("T")

_PAGE_WAIT_SECONDS = 30.0
_PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class News:
    """An event, and its job's record, read after it. Shared by all who are told."""

    event: Event
    record: JobRecord
    rendered: dict[str, bytes] = field(default_factory=dict, compare=False)
    """What it looks like on the wire, for each base URL: written once, however many read it."""


class Listener(Protocol):
    """Who is told about jobs. On the event loop; must not block or raise, and may leave."""

    def told(self, news: News) -> None:
        """Something happened to a job that is listened to. It may have been told before."""

    def ended(self) -> None:
        """The hub tells no more: a drain has begun, or the log is lost."""


class Hub:
    """Follows the event log while somebody listens.

    After `join` has returned, every event of these jobs that is committed from then on is told;
    what was committed before is read from the engine by whoever wants it. Events that fall between
    come both ways: `(job_id, sequence)` tells.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._listeners: dict[str, dict[Listener, None]] = {}  # by job
        self._owned: dict[str, dict[Listener, None]] = {}  # by owner
        self._tail: asyncio.Task[None] | None = None
        self.released = False
        self.letting_go = asyncio.Event()  # the same, to be waited for

    @property
    def following(self) -> bool:
        """Whether the log is being read: somebody listens."""
        return self._tail is not None

    async def join(self, listener: Listener, jobs: Iterable[str] | OwnedBy) -> None:
        """Tell the listener of these jobs from now on. `EngineError`, and it is not joined."""
        wanted = jobs if isinstance(jobs, OwnedBy) else list(jobs)
        for listeners, name in self._places(wanted):
            listeners.setdefault(name, {})[listener] = None
        try:
            await self._follow()
        except BaseException:
            self.leave(listener, wanted)
            raise

    def leave(self, listener: Listener, jobs: Iterable[str] | OwnedBy) -> None:
        """Tell the listener no more of these jobs. The last to leave stops the tail."""
        for listeners, name in self._places(jobs):
            some = listeners.get(name, {})
            some.pop(listener, None)
            if not some:
                listeners.pop(name, None)
        if not (self._listeners or self._owned) and self._tail is not None:
            self._tail.cancel()
            self._tail = None

    def release(self) -> None:
        """Let everybody go, now and from now on: a drain has begun. Safe in a signal handler."""
        self.released = True
        asyncio.get_running_loop().call_soon_threadsafe(self._release)

    async def close(self) -> None:
        """Let everybody go and stop following. Idempotent."""
        self.released = True
        tail, self._tail = self._tail, None
        self._release()
        if tail is not None:
            tail.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await tail

    def _places(
        self, jobs: Iterable[str] | OwnedBy
    ) -> Iterable[tuple[dict[str, dict[Listener, None]], str]]:
        """Where those who listen to these jobs are kept, and under which name."""
        if isinstance(jobs, OwnedBy):
            return [(self._owned, jobs.owner)]
        return ((self._listeners, job_id) for job_id in jobs)

    def _release(self) -> None:
        self.letting_go.set()
        self._end()

    async def _follow(self) -> None:
        if self._tail is None or self._tail.done():
            cursor = (await self._engine.events(None, 0)).cursor
            if self._tail is None or self._tail.done():  # nobody was faster meanwhile
                self._tail = asyncio.create_task(self._read(cursor), name="eitherway-events")

    async def _read(self, cursor: str) -> None:
        try:
            while True:
                page = await self._retried(self._engine.events, cursor, _PAGE_WAIT_SECONDS)
                cursor = page.cursor
                wanted = [event for event in page.events if self._listened(event)]
                if wanted:
                    self._tell(await self._retried(read_news, self._engine, wanted))
                    await asyncio.sleep(0)  # those who were told write before the next page
        except EngineError:
            logger.exception("the event log cannot be followed: its readers begin again")
        finally:
            if self._tail is asyncio.current_task():
                self._tail = None
                self._end()

    async def _retried(self, ask: Callable[P, Awaitable[T]], *args: P.args, **more: P.kwargs) -> T:
        while True:
            try:
                return await ask(*args, **more)
            except EngineUnavailableError:
                await self._clock.sleep(_PAUSE_SECONDS)

    def _listened(self, event: Event) -> bool:
        return event.job_id in self._listeners or (
            event.owner is not None and event.owner in self._owned
        )

    def _tell(self, found: Iterable[News]) -> None:
        for news in found:
            listeners = self._listeners.get(news.event.job_id, {})
            if self._owned and news.event.owner is not None:  # once, who listens to both
                listeners = {**listeners, **self._owned.get(news.event.owner, {})}
            for listener in list(listeners):
                listener.told(news)

    def _end(self) -> None:
        places = [*self._listeners.values(), *self._owned.values()]
        everybody = {each: None for listeners in places for each in listeners}
        for listener in everybody:
            listener.ended()


async def read_news(engine: Engine, events: Sequence[Event]) -> list[News]:
    """Events with their records; those of jobs that are gone are left out."""
    ids = list(dict.fromkeys(event.job_id for event in events))
    found = dict(zip(ids, await engine.get(ids), strict=True))
    pairs = ((event, found[event.job_id]) for event in events)
    return [News(event, record) for event, record in pairs if record is not None]

"""The function behind the stream of the table of jobs: it tells who listens what has happened.

A push is a hint: whoever misses it reads the job. So a listener that cannot be told is logged, and
holds up nothing. A store that is away does: the changes from there on come again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ..attempt.hub import News, read_news
from ..attempt.runtime import Runtime
from ..engine.values import Event
from ..engines.aws.channels import Channels, Connection, job_channel, owner_channel
from ..engines.aws.repeats import named
from ..engines.aws.stream import events_of
from ..errors import EngineUnavailableError
from .environment import Environment, Invocation, LambdaContext
from .push import Pusher
from .store import channels_of

logger = logging.getLogger("eitherway.gateway")

_environment = Environment(serving=False)

Change = Mapping[str, Any]


def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Tell of a batch of changes; from which one on DynamoDB is to give them again."""
    return _environment.run(context, partial(tell, event["Records"]))


async def tell(changes: Sequence[Change], invocation: Invocation) -> dict[str, Any]:
    """The same, in an invocation under way. What was told before may be told again."""
    teller = _Teller(invocation.runtime, channels_of(invocation.runtime))
    done = 0
    try:
        async with asyncio.timeout(invocation.seconds_left):
            await teller.look_up(changes)
            for change in changes:
                await teller.tell(change)
                done += 1
    except (EngineUnavailableError, TimeoutError) as error:
        logger.warning(
            "%d changes are told later: %s", len(changes) - done, error or "no time left"
        )
        first = changes[done]["dynamodb"]["SequenceNumber"]
        return {"batchItemFailures": [{"itemIdentifier": first}]}
    return {"batchItemFailures": []}


class _Teller:
    """Tells of one batch. Who listens is looked up for all of it at once."""

    def __init__(self, runtime: Runtime, channels: Channels) -> None:
        self._engine = runtime.engine
        self._channels = channels
        self._pusher = Pusher(runtime, channels)
        self._listening: dict[str, Sequence[Connection]] = {}  # by channel
        self._news: dict[tuple[str, int], News] = {}

    async def look_up(self, changes: Sequence[Change]) -> None:
        """Who listens to what has changed; and the records of those that somebody listens to."""
        events = [event for change in changes for event in _events(change)]
        names = {name for event in events for name in _channels(event)}
        found = await asyncio.gather(*map(self._channels.listeners, names))
        self._listening = dict(zip(names, found, strict=True))
        wanted = [event for event in events if self._listeners(event)]
        for news in await read_news(self._engine, wanted):
            self._news[news.event.job_id, news.event.sequence] = news

    async def tell(self, change: Change) -> None:
        """Tell of one change: one event after the other, in order."""
        for event in _events(change):
            news = self._news.get((event.job_id, event.sequence))
            if news is not None:
                await self._pusher.push(self._listeners(event), news)
        image = change["dynamodb"].get("NewImage")
        first = named(image)
        if image is not None and first is not None:
            await self._join(image["id"]["S"], first)

    async def _join(self, repeat: str, first: str) -> None:
        """Who waits for a repeat hears of the first job instead, beginning with how it is now."""
        listeners = await self._channels.listeners(job_channel(repeat))
        for listener in listeners:
            await self._channels.also(listener.id, job_channel(first))
        (record,) = await self._engine.get([first]) if listeners else (None,)
        if record is not None:
            await self._pusher.push_state(listeners, record)

    def _listeners(self, event: Event) -> Sequence[Connection]:
        """Who listens, to the job or to all of its owner's, once each."""
        found = [one for name in _channels(event) for one in self._listening[name]]
        return list({one.id: one for one in found}.values())


def _events(change: Change) -> Sequence[Event]:
    return events_of(change["dynamodb"].get("NewImage"))


def _channels(event: Event) -> Sequence[str]:
    owned = [] if event.owner is None else [owner_channel(event.owner)]
    return [job_channel(event.job_id), *owned]

"""The function behind the stream of the table of jobs: it tells who listens what has happened.

A push is a hint: whoever misses it reads the job. So what cannot be told is logged, and holds up
nothing: a function that failed would hold up the stream.
"""

from __future__ import annotations

import asyncio
import logging
from base64 import b64decode
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ..attempt.hub import News, read_news
from ..attempt.runtime import Runtime
from ..engine.values import Event
from ..engines.aws.channels import Channels, Connection, owner_channel
from ..engines.aws.codec import to_row
from ..errors import EitherwayError
from ..job import may_see
from .environment import Environment, Invocation, LambdaContext
from .push import Pusher
from .store import channels_of

logger = logging.getLogger("eitherway.gateway")

_environment = Environment(serving=False)


def handler(event: Mapping[str, Any], context: LambdaContext) -> None:
    """Tell of a batch of changes. Never fails because of a listener."""
    _environment.run(context, partial(tell, event["Records"]))


async def tell(records: Sequence[Mapping[str, Any]], invocation: Invocation) -> None:
    """The same, in an invocation under way."""
    events = [event for record in records for event in events_of(record)]
    if not events:
        return
    try:
        await _tell(invocation.runtime, events)
    except EitherwayError as error:
        logger.warning("%d events are not told: %s", len(events), error)


async def _tell(runtime: Runtime, events: Sequence[Event]) -> None:
    channels = channels_of(runtime)
    listening = await _listening(channels, events)
    wanted = [event for event in events if listening[event.job_id]]
    pusher = Pusher(runtime, channels)
    for news in await read_news(runtime.engine, wanted):  # one after the other: in order
        told = [one for one in listening[news.event.job_id] if _may_hear(one, news)]
        await asyncio.gather(*(pusher.push(one, news) for one in told))


async def _listening(
    channels: Channels, events: Sequence[Event]
) -> Mapping[str, Sequence[Connection]]:
    """Who listens to each job, by it or by its owner, once each."""
    owners = {event.job_id: event.owner for event in events}
    names = {*owners, *(owner_channel(owner) for owner in owners.values() if owner)}
    found = dict(zip(names, await asyncio.gather(*map(channels.listeners, names)), strict=True))
    listening = {}
    for job_id, owner in owners.items():
        both = [*found[job_id], *(found[owner_channel(owner)] if owner else ())]
        listening[job_id] = list({one.id: one for one in both}.values())
    return listening


def _may_hear(connection: Connection, news: News) -> bool:
    record = news.record
    return may_see(record.owner, connection.principal) and not record.hidden


def events_of(record: Mapping[str, Any]) -> list[Event]:
    """What a change of the table is news of; nothing where it is no job's, or no news."""
    image = record["dynamodb"].get("NewImage")
    row = to_row({name: _decoded(value) for name, value in image.items()}) if image else None
    if row is None:
        return []
    return [
        Event(
            job_id=row.id,
            sequence=news.revision,
            state=news.state,
            at=news.at,
            progress=news.progress,
            owner=row.owner,
        )
        for news in row.told
    ]


def _decoded(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """An attribute as boto3 has it: bytes come in base64."""
    return {"B": b64decode(value["B"])} if isinstance(value.get("B"), str) else value

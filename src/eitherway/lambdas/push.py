"""Events for WebSocket connections of API Gateway, in the same words as a gateway's own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace

from ..attempt.hub import News
from ..attempt.runtime import Runtime
from ..engines.aws.channels import Channels, Connection
from ..gateway.push.cloudevents import Envelopes
from ..gateway.push.replay import event_of
from ..job import JobRecord, may_see

MESSAGE_BYTES_MAX = 128 * 1024
"""What API Gateway takes for one message."""


class Pusher:
    """Writes events, and posts them to the connections that may hear of them."""

    def __init__(self, runtime: Runtime, channels: Channels) -> None:
        settings = runtime.settings
        base = (settings.public_url or "").rstrip("/") + settings.prefix.rstrip("/")
        self._envelopes = Envelopes(f"{base}/jobs", runtime.engine.capabilities.durability)
        self._channels = channels

    async def push(self, connections: Iterable[Connection], news: News) -> None:
        """Tell of an event. What is too large for a message is told without it."""
        record = news.record
        told = [each for each in connections if may_see(record.owner, each.principal)]
        if not told or record.hidden:
            return
        message = self._envelopes.write(news)
        if len(message) > MESSAGE_BYTES_MAX:
            message = self._envelopes.write(_brief(news))
        await asyncio.gather(*(self._channels.post(each, message) for each in told))

    async def push_state(self, connections: Iterable[Connection], record: JobRecord) -> None:
        """Tell how a job is now."""
        await self.push(connections, News(event_of(record), record))


def _brief(news: News) -> News:
    """That it has happened: what came of it is to be read from the job, by the event's links."""
    return News(news.event, replace(news.record, answer=None, progress=None, attempts=()))

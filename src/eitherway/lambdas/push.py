"""Events for WebSocket connections of API Gateway, in the same words as a gateway's own."""

from __future__ import annotations

from dataclasses import replace

from ..attempt.hub import News
from ..attempt.runtime import Runtime
from ..engines.aws.channels import Channels, Connection
from ..gateway.push.cloudevents import Envelopes

MESSAGE_BYTES_MAX = 128 * 1024
"""What API Gateway takes for one message."""


class Pusher:
    """Writes events, and posts them to connections."""

    def __init__(self, runtime: Runtime, channels: Channels) -> None:
        settings = runtime.settings
        base = (settings.public_url or "").rstrip("/") + settings.prefix.rstrip("/")
        self._envelopes = Envelopes(f"{base}/jobs", runtime.engine.capabilities.durability)
        self._channels = channels

    async def push(self, connection: Connection, news: News) -> None:
        """Tell a connection of an event. What is too large for a message is told without it."""
        message = self._envelopes.write(news)
        if len(message) > MESSAGE_BYTES_MAX:
            message = self._envelopes.write(_brief(news))
        await self._channels.post(connection, message)


def _brief(news: News) -> News:
    """That it has happened: what came of it is to be read from the job, by the event's links."""
    return News(news.event, replace(news.record, answer=None, progress=None, attempts=()))

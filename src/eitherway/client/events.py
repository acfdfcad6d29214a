"""A job's events, over Server-Sent Events: each once, through cuts and restarts."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Any

import httpx
from httpx_sse import EventSource
from pydantic import BaseModel, ConfigDict

from ..job import JobState
from .answers import comes_back, problem_of
from .sending import Sender, Tries

_SILENCE_SECONDS = 40.0  # the server says something every 15
_SOON_SECONDS = 1.0  # a stream that ends sooner was cut off


class Event(BaseModel):
    """A fact of a job's life: a CloudEvent whose `data` is the job document as of then."""

    model_config = ConfigDict(frozen=True)

    id: str
    type: str
    subject: str
    time: datetime
    sequence: int  # among the job's events; it has gaps where you came late
    cursor: str | None = None
    data: dict[str, Any]

    @property
    def status(self) -> JobState:
        """What the job was then."""
        return JobState(self.data["status"])

    @property
    def done(self) -> bool:
        """Whether it is the final one."""
        return self.status.done

    @property
    def progress(self) -> dict[str, Any] | None:
        """What the handler told last, `{"fraction", "note"}`, where it is known."""
        return self.data.get("progress")


async def follow(sender: Sender, path: str, after: str | None) -> AsyncGenerator[Event, None]:
    """The events of one job's stream, up to the final one; from the cursor on, where it is given.

    `ProblemError` and `NoAnswerError` as `Sender.send`.
    """
    tries = sender.tries(f"GET {path}")
    last = 0
    while True:
        headers = {"accept": "text/event-stream", "cache-control": "no-store"}
        if after is not None:
            headers["last-event-id"] = after
        try:
            async with sender.stream(path, headers, _SILENCE_SECONDS) as response:
                if response.status_code == 204:  # nothing after the cursor, and nothing to come
                    return
                if response.status_code == 200:
                    begun = sender.clock.monotonic()
                    async with aclosing(_events(response)) as events:
                        async for event in events:
                            tries.succeeded()
                            after = event.cursor or after
                            if event.sequence > last:
                                last = event.sequence
                                yield event
                            if event.done:
                                return
                    _come_back(tries, sender.clock.monotonic() - begun)
                    continue
                await response.aread()
            if not comes_back(response):
                raise problem_of(response)
            await tries.put_off(response)
        except httpx.TransportError as error:
            await tries.failed(error)


def _come_back(tries: Tries, seconds: float) -> None:
    """A stream has ended before its job did: as a function does that has waited, or cut off."""
    if seconds < _SOON_SECONDS:
        raise httpx.RemoteProtocolError("the stream ended before the job did")
    tries.succeeded()


async def _events(response: httpx.Response) -> AsyncGenerator[Event, None]:
    async for message in EventSource(response).aiter_sse():
        if message.data:
            yield Event.model_validate_json(message.data)

"""Telling of a job's end: a job of its own, enqueued in the write that ends the first one."""

from __future__ import annotations

from pydantic_core import to_json

from ..callback.listener import Listener
from ..engine.values import Message, NewJob
from ..ids import Randomness
from ..job import JobRecord

EVENT = "eitherway.event"
"""The operation that writes the event of an end, and enqueues its delivery."""

EVENT_ATTEMPTS = 10
TELLING_SECONDS = 7 * 86_400.0
"""How long it is tried to tell of an end."""


class Telling:
    """Makes these jobs."""

    def __init__(self, randomness: Randomness) -> None:
        self._randomness = randomness

    def jobs(self, ended: JobRecord, at: float) -> tuple[NewJob, ...]:
        """What to enqueue with the end of this job: nothing, unless somebody wants to know."""
        if ended.callback is None:
            return ()
        listener = Listener.decode(ended.callback)
        ending = {"job": ended.id, "url": listener.url, "jobs_url": listener.jobs_url}
        telling = NewJob(
            id=self._randomness.job_id(at),
            operation=EVENT,
            version=1,
            message=Message(payload=to_json(ending)),
            created=at,
            due=at,
            deadline=at + TELLING_SECONDS,
            attempts_max=EVENT_ATTEMPTS,
            traceparent=ended.traceparent,
            tracestate=ended.tracestate,
        )
        return (telling,)

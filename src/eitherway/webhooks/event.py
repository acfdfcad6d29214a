"""The event that tells of a job's end: that of push, made small enough for a callback."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..attempt.hub import News
from ..engine.capabilities import Durability
from ..gateway.push.cloudevents import Envelopes, event_id
from ..gateway.push.replay import event_of
from ..job import JobRecord

BODY_BYTES_MAX = 20_000
"""What a receiver can be expected to take (Standard Webhooks)."""

_ATTEMPTS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Written:
    """An event, on the wire."""

    id: str
    body: bytes


def terminal_event(record: JobRecord, jobs_url: str, durability: Durability) -> Written:
    """The event of the end that the record tells of.

    Too large, it goes without its result, which `links` in it lead to; then without all but the
    last attempts and what was said of progress.
    """
    event = event_of(record)
    slim = replace(record, answer=None)
    slimmer = replace(slim, attempts=slim.attempts[-_ATTEMPTS_SHOWN:], progress=None)
    for candidate in (record, slim, slimmer):
        body = Envelopes(jobs_url, durability).write(News(event, candidate))
        if len(body) <= BODY_BYTES_MAX:
            break
    return Written(event_id(event), body)

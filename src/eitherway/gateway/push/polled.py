"""Streams of jobs where no process outlives its answer, and so none can follow the log.

How the jobs are is told as soon as that has moved, and ends the answer: its reader comes back with
the cursor. What was and passed between two looks is not told; how a job ended always is.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256

from ...attempt.hub import News
from ...attempt.polling import Found, PollingWatcher
from ...errors import EngineUnavailableError
from ...job import JobRecord
from ..routes import Request
from .cloudevents import Envelopes
from .replay import event_of


class Polled:
    """What a reader is told of some jobs, given the cursor that it comes back with.

    A cursor names the revision of each job that was told, `NAME:REVISION,NAME:REVISION`, by a short
    name: it travels in a header, for as many jobs as there may be.
    """

    def __init__(self, jobs: Sequence[str], cursor: str | None) -> None:
        self._jobs = jobs
        self._told = _revisions(cursor or "")
        self._begins_again = bool(cursor) and not self._told

    def nothing_left(self, found: Found) -> bool:
        """Whether all of them have ended, and the reader was told."""
        return not self._news(found) and all(each is not None and each.done for each in found)

    async def write(self, request: Request, watcher: PollingWatcher, envelopes: Envelopes) -> None:
        """Wait for news, and write them."""
        try:
            news = self._news(await watcher.look(self._jobs, self._is_news, None))
        except EngineUnavailableError:
            news = []  # an answer has begun: its reader comes back
        self._told |= {_name(record.id): record.revision for record in news}
        kind = b"event: reset\n" if self._begins_again else b""
        for record in news:
            event, line = event_of(record), b""
            if record is news[-1]:
                event = replace(event, cursor=_cursor(self._told))
                line = b"id: %s\n" % event.cursor.encode() if event.cursor else b""
            written = envelopes.write(News(event, record))
            chunk = b"%s%sdata: %s\n\n" % (kind, line, written)
            await request.send({"type": "http.response.body", "body": chunk, "more_body": True})
        await request.send({"type": "http.response.body", "body": b"", "more_body": False})

    def _is_news(self, found: Found) -> bool:
        return bool(self._news(found))

    def _news(self, found: Found) -> list[JobRecord]:
        """Those that have moved since, each once."""
        there = {record.id: record for record in found if record is not None and not record.hidden}
        return [
            each for each in there.values() if each.revision > self._told.get(_name(each.id), 0)
        ]


def _name(job_id: str) -> str:
    return urlsafe_b64encode(sha256(job_id.encode()).digest()[:6]).decode()


def _revisions(cursor: str) -> dict[str, int]:
    pairs = (part.rpartition(":") for part in cursor.split(","))
    return {name: int(text) for name, _, text in pairs if text.isascii() and text.isdigit()}


def _cursor(told: dict[str, int]) -> str:
    return ",".join(f"{name}:{revision}" for name, revision in told.items())

"""Events as CloudEvents 1.0, in their JSON format."""

from __future__ import annotations

from pydantic_core import to_json

from ...attempt.hub import News
from ...engine.capabilities import Durability
from ...engine.values import Event
from ...trace import starting
from ..documents import job_document, rfc3339
from .replay import as_of

TYPE_PREFIX = "eitherway.job."
_SEQUENCE_DIGITS = 12


def event_id(event: Event) -> str:
    """The event's id, the same each time. Without a dot: it is signed between dots in callbacks."""
    return f"{event.job_id}-{event.sequence}"


class Envelopes:
    """Writes events for readers at one base URL."""

    def __init__(self, jobs_url: str, durability: Durability) -> None:
        self._jobs_url = jobs_url
        self._durability = durability

    def write(self, news: News) -> bytes:
        """The event, on one line. `id` is the same each time, `data` the job at that moment."""
        written = news.rendered.get(self._jobs_url)
        if written is None:
            written = news.rendered[self._jobs_url] = self._write(news)
        return written

    def _write(self, news: News) -> bytes:
        event = news.event
        envelope = {
            "specversion": "1.0",
            "id": event_id(event),
            "source": self._jobs_url,
            "type": TYPE_PREFIX + ("progress" if event.progress else event.state),
            "subject": event.job_id,
            "time": rfc3339(event.at),
            "sequence": f"{event.sequence:0{_SEQUENCE_DIGITS}}",
            "datacontenttype": "application/json",
            "traceparent": starting(event.job_id, news.record.traceparent),
        }
        if news.record.tracestate:
            envelope["tracestate"] = news.record.tracestate
        if event.cursor:
            envelope["cursor"] = event.cursor
        document = job_document(as_of(news.record, event), self._durability, self._jobs_url)
        line = b" ".join(document.splitlines())  # a stored result may have been written on several
        return to_json(envelope)[:-1] + b',"data":' + line + b"}"

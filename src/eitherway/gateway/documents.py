"""The job document: what a record looks like on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from time import gmtime, strftime
from typing import Any

from pydantic_core import to_json

from ..attempt.forecast import Outlook
from ..attempt.runtime import Runtime
from ..engine.capabilities import Durability
from ..engine.values import NewJob
from ..job import Attempt, JobRecord, JobState

_RESULT = b'"result":'
_UNKNOWN = Outlook()


def job_document(
    record: JobRecord, durability: Durability, jobs_url: str, outlook: Outlook = _UNKNOWN
) -> bytes:
    """The document, as JSON. The result is spliced in as the bytes that were stored."""
    url = f"{jobs_url}/{record.id}"
    document: dict[str, Any] = {
        "id": record.id,
        "operation": record.operation,
        "status": record.state,
        "done": record.done,
        "created": rfc3339(record.created),
        "started": rfc3339(record.started),
        "updated": rfc3339(record.updated),
        "finished": rfc3339(record.finished),
        "expires": rfc3339(record.expires),
        "deadline": rfc3339(record.deadline),
        "attempt": record.attempt,
        "attempts_max": record.attempts_max,
        "attempts": [_attempt(attempt) for attempt in record.attempts],
        "durability": durability,
        "ahead": outlook.ahead,
        "eta_seconds": outlook.eta_seconds,
        "progress": record.progress,
        "links": {
            "self": url,
            "result": f"{url}/result",
            "cancel": url,  # by DELETE
            "events": f"{url}/events",
        },
    }
    if record.error is not None:
        document["error"] = {**record.error, "kind": record.kind}
    if record.answer is None:
        return to_json(document)
    return to_json(document)[:-1] + b"," + _RESULT + (record.answer.body or b"null") + b"}"


async def outlook_of(runtime: Runtime, record: JobRecord, *, accepted: int = 0) -> Outlook:
    """What can be said of a job that waits for its turn; of any other there is nothing to say."""
    if record.state is not JobState.QUEUED:
        return _UNKNOWN
    return await runtime.forecast.of(record.operation, accepted=accepted)


def record_of(job: NewJob) -> JobRecord:
    """The record of a job at the moment it is accepted."""
    return JobRecord(
        id=job.id,
        operation=job.operation,
        version=job.version,
        state=JobState.SCHEDULED if job.due > job.created else JobState.QUEUED,
        revision=1,
        created=job.created,
        updated=job.created,
        deadline=job.deadline,
        due=job.due,
        attempts_max=job.attempts_max,
        owner=job.owner,
        traceparent=job.traceparent,
        tracestate=job.tracestate,
        callback=job.callback,
    )


def _attempt(attempt: Attempt) -> Mapping[str, Any]:
    return {
        "number": attempt.number,
        "outcome": attempt.outcome,
        "error": attempt.error,
        "started": rfc3339(attempt.started),
        "finished": rfc3339(attempt.finished),
    }


def rfc3339(seconds: float | None) -> str | None:
    """A moment as RFC 3339 writes it, in UTC, to the millisecond."""
    return None if seconds is None else _to_the_millisecond(round(seconds * 1000))


@lru_cache(maxsize=1024)
def _to_the_millisecond(milliseconds: int) -> str:
    # those of one turn of a busy loop are of few moments, and so are their deadlines
    seconds, milliseconds = divmod(milliseconds, 1000)
    return f"{_to_the_second(seconds)}.{milliseconds:03d}Z"


@lru_cache(maxsize=1024)
def _to_the_second(seconds: int) -> str:
    # most of the moments of a busy second are of that second, or as far from it as deadlines are
    return strftime("%Y-%m-%dT%H:%M:%S", gmtime(seconds))

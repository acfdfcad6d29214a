"""The document of a job at the moment it is accepted: most of it is the same for every such job.

It is what most requests are answered with, and takes longer to make than to validate an order.
"""

from __future__ import annotations

from pydantic_core import to_json

from ..attempt.forecast import Outlook
from ..engine.capabilities import Durability
from ..engine.values import NewJob
from ..job import JobRecord, JobState
from ..operation import Operation
from .documents import job_document, rfc3339

_ID, _URL, _CREATED, _DEADLINE, _AHEAD, _ETA_SECONDS = "<id>", "<url>", 0.0, 1.0, -1, -2.0
"""What stands in the sample where each document has its own; in nobody's name or URL."""


class ReceiptForm:
    """`job_document` of an operation's new jobs: made once of a sample, and filled in."""

    def __init__(self, operation: Operation, durability: Durability) -> None:
        sample = JobRecord(
            id=_ID,
            operation=operation.name,
            version=operation.version,
            state=JobState.QUEUED,
            revision=1,
            created=_CREATED,
            updated=_CREATED,
            deadline=_DEADLINE,
            attempts_max=operation.retry.attempts,
        )
        form = job_document(sample, durability, _URL, Outlook(_AHEAD, _ETA_SECONDS))
        form = form.replace(b"%", b"%%")
        for key, own in {
            b"id": _ID.encode(),
            b"url": _URL.encode(),
            b"created": to_json(rfc3339(_CREATED)),
            b"deadline": to_json(rfc3339(_DEADLINE)),
            b"ahead": _member("ahead", _AHEAD),
            b"eta_seconds": _member("eta_seconds", _ETA_SECONDS),
        }.items():
            form = form.replace(own, b"%%(%b)b" % key)
        self._form = form

    def filled(self, job: NewJob, jobs_url: str, outlook: Outlook) -> bytes:
        """The document of a job that is due at once."""
        return self._form % {
            b"id": job.id.encode(),
            b"url": to_json(jobs_url)[1:-1],
            b"created": to_json(rfc3339(job.created)),
            b"deadline": to_json(rfc3339(job.deadline)),
            b"ahead": _member("ahead", outlook.ahead),
            b"eta_seconds": _member("eta_seconds", outlook.eta_seconds),
        }


def _member(name: str, value: float | None) -> bytes:
    """A number with its name: alone, it could be a part of something else."""
    return b'"%b":%b' % (name.encode(), to_json(value))

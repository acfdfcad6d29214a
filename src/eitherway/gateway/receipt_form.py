"""The document of a job at the moment it is accepted: most of it is the same for every such job.

It is what most requests are answered with, and takes longer to make than to validate an order.
"""

from __future__ import annotations

import re
from functools import lru_cache
from operator import itemgetter

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
        document = job_document(sample, durability, _URL, Outlook(_AHEAD, _ETA_SECONDS))
        own = {  # how each stands in the document, and what is filled in there
            _ID: "%s",
            f'"{rfc3339(_CREATED)}"': '"%s"',
            f'"{rfc3339(_DEADLINE)}"': '"%s"',
            f'"ahead":{_AHEAD}': '"ahead":%s',
            f'"eta_seconds":{_ETA_SECONDS}': '"eta_seconds":%s',
        }
        text, any_own = document.decode().replace("%", "%%"), "|".join(map(re.escape, own))
        self._form = re.sub(any_own, lambda match: own[match[0]], text)
        self._in_order = itemgetter(*map(list(own).index, re.findall(any_own, text)))

    def filled(self, job: NewJob, jobs_url: str, outlook: Outlook) -> bytes:
        """The document of a job that is due at once."""
        ahead, eta_seconds = outlook
        values = (
            job.id,
            rfc3339(job.created),
            rfc3339(job.deadline),
            "null" if ahead is None else ahead,
            "null" if eta_seconds is None else eta_seconds,
        )
        return (_located(self._form, jobs_url) % self._in_order(values)).encode()


@lru_cache(maxsize=64)
def _located(form: str, jobs_url: str) -> str:
    """The form where jobs are at this URL; of these there are few."""
    return form.replace(_URL, to_json(jobs_url)[1:-1].decode().replace("%", "%%"))

"""The document of a job at the moment it is accepted: most of it is the same for every such job.

It is what most requests are answered with, and takes longer to make than to validate an order.
"""

from __future__ import annotations

import re
from functools import lru_cache

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
        own = {
            _ID: "id",
            _URL: "url",
            f'"{rfc3339(_CREATED)}"': "created",
            f'"{rfc3339(_DEADLINE)}"': "deadline",
            f'"ahead":{_AHEAD}': "ahead",
            f'"eta_seconds":{_ETA_SECONDS}': "eta_seconds",
        }
        parts = re.split(f"({'|'.join(map(re.escape, own))})", document.decode())
        self._between, self._names = parts[::2], [own[part] for part in parts[1::2]]

    def filled(self, job: NewJob, jobs_url: str, outlook: Outlook) -> bytes:
        """The document of a job that is due at once."""
        ahead, eta_seconds = outlook.ahead, outlook.eta_seconds
        values = {
            "id": job.id,
            "url": _within_json(jobs_url),
            "created": f'"{rfc3339(job.created)}"',
            "deadline": f'"{rfc3339(job.deadline)}"',
            "ahead": f'"ahead":{"null" if ahead is None else ahead}',
            "eta_seconds": f'"eta_seconds":{"null" if eta_seconds is None else eta_seconds}',
        }
        pieces = [""] * (len(self._between) + len(self._names))
        pieces[::2], pieces[1::2] = self._between, [values[name] for name in self._names]
        return "".join(pieces).encode()


@lru_cache(maxsize=16)
def _within_json(text: str) -> str:
    """The text as it stands within quotes; of URLs there are few."""
    return to_json(text)[1:-1].decode()

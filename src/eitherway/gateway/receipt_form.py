"""The answer to a job's accept, at that moment: most of it is the same for every such job.

It is what most requests are answered with, and takes longer to make than to validate an order.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from operator import itemgetter

from ..attempt.forecast import Outlook
from ..engine.capabilities import Durability
from ..engine.values import NewJob
from ..job import JobRecord, JobState
from ..operation import Operation
from .documents import job_document, rfc3339
from .whole import Lines, lines_of
from .wire import Header, described, retry_after

_ID, _CREATED, _DEADLINE, _AHEAD, _ETA_SECONDS, _LENGTH = "<id>", 0.0, 1.0, -1, -2.0, 1_000_000_000
"""What stands in the samples where each answer has its own; in nobody's name or URL."""

_KNOWN_URL_MAX = 256
"""Longer ones are not remembered: what clients make up is no memory of ours."""

_RETRY_AFTER = retry_after(1.0)


def fields_of_receipt(job_url: str, *, done: bool = False) -> list[Header]:
    """The header fields of every 202."""
    where = job_url.encode("latin-1")
    fields = [(b"location", where), (b"operation-location", where)]
    return fields if done else [*fields, _RETRY_AFTER]


class _Form:
    """A text of which some places are filled in: `own` says how each stands in it, and what for."""

    def __init__(self, sample: str, own: Mapping[str, str], encoding: str = "utf-8") -> None:
        any_own = "|".join(map(re.escape, own))
        sample = sample.replace("%", "%%")
        self._text = re.sub(any_own, lambda match: own[match[0]], sample).encode(encoding)
        self._in_order = itemgetter(*map(list(own).index, re.findall(any_own, sample)))

    def filled(self, *values: bytes) -> bytes:
        """The text; of the values, each stands wherever its sample did."""
        text: bytes = self._text % self._in_order(values)
        return text


@lru_cache(maxsize=1024)
def _moment(milliseconds: int) -> bytes:
    return (rfc3339(milliseconds / 1000) or "").encode()


class ReceiptForm:
    """The 202 of an operation's new jobs: made once of a sample, for each URL, and filled in."""

    def __init__(self, operation: Operation, durability: Durability) -> None:
        self._durability = durability
        self._sample = JobRecord(
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
        self._forms_at = lru_cache(maxsize=16)(self._make_forms)

    def filled(self, job: NewJob, jobs_url: str, outlook: Outlook) -> tuple[Lines, bytes]:
        """Fields and document of a job that is due at once."""
        is_known = len(jobs_url) <= _KNOWN_URL_MAX
        head, document = self._forms_at(jobs_url) if is_known else self._make_forms(jobs_url)
        ahead, eta_seconds = outlook
        own = job.id.encode()
        body = document.filled(
            own,
            _moment(round(job.created * 1000)),
            _moment(round(job.deadline * 1000)),
            b"null" if ahead is None else b"%d" % ahead,
            b"null" if eta_seconds is None else repr(eta_seconds).encode(),
        )
        return Lines(head.filled(own, b"%d" % len(body))), body

    def _make_forms(self, jobs_url: str) -> tuple[_Form, _Form]:
        fields = fields_of_receipt(f"{jobs_url}/{_ID}")
        lines = lines_of(described(fields, b"application/json", _LENGTH))
        outlook = Outlook(_AHEAD, _ETA_SECONDS)
        document = job_document(self._sample, self._durability, jobs_url, outlook)
        in_document = {
            _ID: "%b",
            f'"{rfc3339(_CREATED)}"': '"%b"',
            f'"{rfc3339(_DEADLINE)}"': '"%b"',
            f'"ahead":{_AHEAD}': '"ahead":%b',
            f'"eta_seconds":{_ETA_SECONDS}': '"eta_seconds":%b',
        }
        head = _Form(lines.decode("latin-1"), {_ID: "%b", str(_LENGTH): "%b"}, "latin-1")
        return head, _Form(document.decode(), in_document)

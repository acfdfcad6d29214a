"""Listing jobs for operators, the newest first. The cursor is the `seq` of the last one, as text.

Dead letters, held jobs and the states off the usual way have indexes. For anything else jobs are
looked at one after the other, so many at a time: a page may then be short, or empty, and go on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ...engine.listing import JobFilter, JobPage
from ...job import FailureKind, JobState
from .reader import Reader, to_seq
from .rows import JobRow, to_record

LOOKED_AT_MAX = 1000
"""Jobs that a page looks at where there is no index: about a millisecond of the event loop."""

_UNUSUAL = frozenset({JobState.SCHEDULED, JobState.RETRYING, JobState.FAILED, JobState.CANCELED})
_NEWEST = 2**63 - 1


class _Candidate(NamedTuple):
    """What filters look at, of a job that may be listed."""

    seq: int
    operation: str
    state: str
    due: float | None
    kind: str | None
    cause: str | None


def page(reader: Reader, wanted: JobFilter, after: str | None, count: int, now: float) -> JobPage:
    """The first jobs after the cursor that the filter lets through."""
    before = _NEWEST if after is None else to_seq(after)
    if count < 1:
        return JobPage(jobs=(), cursor=after)
    candidates, more = _candidates(reader, wanted, before, count + 1)
    fitting = [each.seq for each in candidates if _fits(each, wanted, now)]
    last = candidates[-1].seq if more else None
    if len(fitting) > count:
        fitting = fitting[:count]
        last = fitting[-1]
    rows = [JobRow(*row) for seq in fitting for row in reader.all("listed", seq=seq)]
    # Fitting still: between two queries the writer may have committed.
    records = tuple(to_record(row, now) for row in rows if _fits(row, wanted, now))
    return JobPage(jobs=records, cursor=None if last is None else str(last))


def _fits(job: _Candidate | JobRow, wanted: JobFilter, now: float) -> bool:
    fallen_due = job.state == JobState.SCHEDULED and job.due is not None and job.due <= now
    state = JobState.QUEUED if fallen_due else job.state
    dead = state == JobState.FAILED and job.kind != FailureKind.REJECTED
    return (
        (wanted.operations is None or job.operation in wanted.operations)
        and (wanted.states is None or state in wanted.states)
        and (dead or not wanted.dead)
        and (wanted.cause is None or job.cause == wanted.cause)
    )


def _candidates(
    reader: Reader, wanted: JobFilter, before: int, limit: int
) -> tuple[list[_Candidate], bool]:
    """The first jobs that may fit, and whether there may be more."""
    if _is_indexed(wanted):
        found = set(_indexed(reader, wanted, before, limit))
    else:
        if wanted != JobFilter():
            limit = max(limit, LOOKED_AT_MAX)
        found = set(reader.all("list_all", before=before, count=limit))
    first = sorted(found, reverse=True, key=lambda row: row[0])[:limit]
    return [_Candidate._make(row) for row in first], len(first) == limit


def _is_indexed(wanted: JobFilter) -> bool:
    if wanted.dead or wanted.cause is not None:
        return True
    return wanted.states is not None and set(wanted.states) <= _UNUSUAL | {JobState.RUNNING}


def _indexed(reader: Reader, wanted: JobFilter, before: int, limit: int) -> Iterator[Any]:
    """The first jobs of each part of an index that a filter is about."""
    operations = wanted.operations
    if operations is None:
        operations = [operation for (operation,) in reader.all("tallied")]
    states = set(wanted.states or ())
    if not wanted.dead and wanted.cause is None and JobState.RUNNING in states:
        yield from reader.all("list_held", before=before, count=limit)
    for operation in operations:
        where = {"operation": operation, "before": before, "count": limit}
        if wanted.cause is not None:
            yield from reader.all("list_cause", cause=wanted.cause, **where)
        elif wanted.dead:
            yield from reader.all("list_dead", **where)
        else:
            for state in states & _UNUSUAL:
                yield from reader.all("list_unusual", state=state, **where)

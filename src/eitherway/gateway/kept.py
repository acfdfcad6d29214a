"""Jobs that are not shown: gone, for as long as that is remembered, and unknown after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..attempt.runtime import Runtime
from ..job import JobRecord, may_see


class Missing(NamedTuple):
    """The ids of jobs that nobody can follow."""

    unknown: list[str]
    gone: list[str]


async def missing(
    runtime: Runtime,
    jobs: Sequence[str],
    records: Sequence[JobRecord | None],
    principal: str | None,
) -> Missing:
    """Which of these jobs are not shown to this caller, given what the engine has of them."""
    found = Missing([], [])
    absent = [job_id for job_id, record in zip(jobs, records, strict=True) if record is None]
    stones = await runtime.engine.gone(absent) if absent else ()
    remembered = dict(zip(absent, stones, strict=True))
    now = runtime.clock.now()
    for job_id, record in zip(jobs, records, strict=True):
        left = remembered[job_id] if record is None else record
        if left is None or not may_see(left.owner, principal):
            found.unknown.append(job_id)
        elif record is None:
            found.gone.append(job_id)
        elif record.hidden:  # deleted by its owner
            found.unknown.append(job_id)
        elif record.expires is not None and record.expires <= now:
            found.gone.append(job_id)
    return found

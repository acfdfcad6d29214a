"""Ending jobs from outside, and hiding those that have ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...engine.cancellation import Cancellation
from ...engine.stored import append_attempts
from ...errors import EngineUnavailableError
from ...job import JobState, Outcome
from . import parts
from .accept import new_row
from .core import Core
from .rows import Row, moved, quiet
from .store import gathered
from .sweep import look_at
from .writes import commit, create, swap

_TRIES = 8


async def cancel(core: Core, cancellations: Sequence[Cancellation]) -> list[bool]:
    """End jobs; False where there is none, or it has ended."""
    first: dict[str, Cancellation] = {}
    for each in cancellations:
        first.setdefault(each.job_id, each)
    ended = dict(
        zip(first, await gathered(_cancel(core, each) for each in first.values()), strict=True)
    )
    return [ended[each.job_id] and first[each.job_id] is each for each in cancellations]


async def hide(core: Core, ids: Sequence[str]) -> list[bool]:
    """Mark jobs that have ended; False where there is none, or it is marked."""
    unique = list(dict.fromkeys(ids))
    hidden = dict(zip(unique, await gathered(_hide(core, id_) for id_ in unique), strict=True))
    return [hidden.pop(id_, False) for id_ in ids]


async def let_go(core: Core, job_id: str, token: int | None = None) -> bool:
    """The holder of a canceled job has returned: free what it held. True the first time alone.

    Without a token, whoever the holder is: its lease is over.
    """
    for _ in range(_TRIES):
        (row,) = await parts.read(core.store, [job_id])
        if row is None or row.state is not JobState.CANCELED or row.lease_until is None:
            return False
        if token is not None and row.token != token:
            return False
        if token is None and row.lease_until > core.store.now():
            return False
        after = quiet(row, lease_until=None, look_at=row.expires, uses=())
        if not await commit(core.store, [swap(core.store, row, after)]):
            if row.uses:
                await core.limits.release(row)
            return True
    raise EngineUnavailableError(f"others write job {job_id} all the time")


async def _cancel(core: Core, wanted: Cancellation) -> bool:
    now = core.store.now()
    known: set[str] = set()
    for _ in range(_TRIES):
        (row,) = await parts.read(core.store, [wanted.job_id])
        if row is None or row.ended:
            return False
        after = canceled(row, wanted, now)
        jobs = [new_row(job, now) for job in wanted.jobs if job.id not in known]
        await gathered(parts.store_payload(core.store, job) for job in jobs)
        creates = [create(core.store, job) for job in jobs]
        refused = await commit(core.store, [swap(core.store, row, after), *creates])
        if not refused:
            await core.told((row, after), *((None, job) for job in jobs))
            return True
        failed = {id(each.write) for each in refused if not each.raced}
        pairs = zip(jobs, creates, strict=True)
        known |= {job.id for job, write in pairs if id(write) in failed}
    raise EngineUnavailableError(f"others write job {wanted.job_id} all the time")


def canceled(row: Row, wanted: Cancellation, now: float) -> Row:
    """The row as it ends. Whoever holds it goes on for a moment, and keeps its places."""
    running = row.running
    ended = []
    if running is not None:
        ended = [replace(running, outcome=Outcome.CANCELED, finished=wanted.at)]
    after = moved(
        row,
        JobState.CANCELED,
        wanted.at,
        now,
        finished=wanted.at,
        expires=wanted.expires,
        attempts=append_attempts(row.attempts, ended),
        attempt_started=None,
        suspect=False,
    )
    return replace(after, look_at=look_at(after, now))


async def _hide(core: Core, job_id: str) -> bool:
    for _ in range(_TRIES):
        (row,) = await parts.read(core.store, [job_id])
        if row is None or row.hidden or not row.ended:
            return False
        if not await commit(core.store, [swap(core.store, row, quiet(row, hidden=True))]):
            return True
    raise EngineUnavailableError(f"others write job {job_id} all the time")

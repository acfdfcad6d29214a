"""Accepting jobs: the record first, the hint after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...engine.values import NewJob
from ...errors import EngineUnavailableError
from . import keys, parts
from .core import Core
from .rows import Row, fresh
from .store import outcomes, whole
from .sweep import look_at
from .writes import Write, commit, create

_TRIES = 5


def new_row(job: NewJob, now: float) -> Row:
    """The row of a job to accept, its payload apart where it is large."""
    row = parts.split(fresh(job))
    return replace(row, look_at=look_at(row, now))


async def accept(core: Core, jobs: Sequence[NewJob]) -> list[bool]:
    """Store jobs, each under its key where it has one; True where one is new."""
    core.store.at_step("accept.begun")
    now = core.store.now()
    rows = [new_row(job, now) for job in jobs]
    new = [False] * len(jobs)

    async def in_turn(places: Sequence[int]) -> None:
        for place in places:
            new[place] = await _store(core, jobs[place], rows[place])

    stored = await outcomes(in_turn(places) for places in _turns(jobs))
    await core.told(*((None, row) for row, is_new in zip(rows, new, strict=True) if is_new))
    if jobs:
        core.store.at_step("accept.hinted")
    whole(stored)
    return new


def _turns(jobs: Sequence[NewJob]) -> list[list[int]]:
    """The places of jobs that are stored one after the other: of one id, or under one key."""
    turns: list[list[int]] = []
    known: dict[tuple[str, str], list[int]] = {}
    for place, job in enumerate(jobs):
        names = [("id", job.id), *([("key", job.key.key)] if job.key else [])]
        turn = next((known[name] for name in names if name in known), None)
        if turn is None:
            turns.append(turn := [])
        turn.append(place)
        known.update(dict.fromkeys(names, turn))
    return turns


async def _store(core: Core, job: NewJob, row: Row) -> bool:
    for _ in range(_TRIES):
        (binding,) = await keys.bind(core, [job])
        if not binding.able:
            return False
        await parts.store_payload(core.store, row)
        record = create(core.store, row)
        writes: list[Write] = [record] if binding.write is None else [record, binding.write]
        refused = await commit(core.store, writes)
        if not refused:
            core.store.at_step("accept.stored")
            return True
        if any(each.write is record and not each.raced for each in refused):
            return False
    raise EngineUnavailableError(f"others write the key of job {job.id} all the time")

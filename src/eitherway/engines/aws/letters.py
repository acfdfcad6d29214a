"""Dead letters: sent again or deleted, each by a write under what was read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from ...engine.values import Redrive
from ...errors import EngineUnavailableError
from ...job import JobState
from . import parts
from .core import Core
from .rows import Row, moved
from .store import gathered
from .sweep import look_at
from .writes import Write, commit, swap

T = TypeVar("T")

_TRIES = 8


async def redrive(core: Core, redrives: Sequence[Redrive]) -> list[bool]:
    """Queue dead letters again; False where it is none."""
    wanted = [(each.job_id, each) for each in redrives]
    return await _first_of_each(wanted, lambda each: _redrive(core, each))


async def discard(core: Core, ids: Sequence[str]) -> list[bool]:
    """Delete dead letters; False where it is none."""
    done = await _first_of_each([(id_, id_) for id_ in ids], lambda id_: _discard(core, id_))
    await core.counters.flush()
    return done


async def _first_of_each(
    wanted: Sequence[tuple[str, T]], do: Callable[[T], Awaitable[bool]]
) -> list[bool]:
    """What becomes of the first of each id; the others are too late."""
    first: dict[str, T] = {}
    for id_, each in wanted:
        first.setdefault(id_, each)
    done = dict(zip(first, await gathered(do(each) for each in first.values()), strict=True))
    return [first[id_] is each and done.pop(id_, False) for id_, each in wanted]


async def _redrive(core: Core, wanted: Redrive) -> bool:
    for _ in range(_TRIES):
        (row,) = await parts.read(core.store, [wanted.job_id])
        if row is None or not row.dead:
            return False
        after = redriven(row, wanted, core.store.now())
        writes = [swap(core.store, row, after)]
        if wanted.message is not None and after.payload_apart:
            writes.append(parts.payload(core.store, after))
        if not await commit(core.store, writes):
            await core.told((row, after))
            unused = row.payload_apart and not after.payload_apart
            await parts.delete(core.store, [replace(row, payload_apart=unused)])
            return True
    raise EngineUnavailableError(f"others write job {wanted.job_id} all the time")


def redriven(row: Row, wanted: Redrive, now: float) -> Row:
    """The row as it waits again: its failure is forgotten, its attempts are not."""
    if wanted.message is not None:
        message = wanted.message
        row = parts.split(
            replace(row, payload=message.payload, params=message.params, headers=message.headers)
        )
    after = moved(
        row,
        JobState.QUEUED,
        wanted.at,
        now,
        due=wanted.due,
        deadline=wanted.deadline,
        attempts_max=row.attempt + wanted.attempts,
        finished=None,
        expires=None,
        answer_status=None,
        answer_type=None,
        answer_body=None,
        answer_apart=False,
        error=None,
        kind=None,
        cause=None,
    )
    return replace(after, look_at=look_at(after, now))


async def _discard(core: Core, job_id: str) -> bool:
    for _ in range(_TRIES):
        (row,) = await parts.read(core.store, [job_id])
        if row is None or not row.dead:
            return False
        write = Write(
            action="Delete",
            table=core.store.jobs,
            image={"id": {"S": job_id}},
            condition="stamp = :stamp",
            values={":stamp": {"N": str(row.stamp)}},
        )
        if not await commit(core.store, [write]):
            core.counters.count(row, None)
            await parts.delete(core.store, [row])
            return True
    raise EngineUnavailableError(f"others write job {job_id} all the time")

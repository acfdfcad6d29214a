"""Taking the very jobs that hints name: for functions, which SQS gives messages of its choice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ...engine.values import Delivery, Demand, NewJob
from ...errors import EngineError
from . import parts, repeats
from .accept import accept, new_row
from .receive import claim
from .rows import Row
from .store import gathered, outcomes
from .writes import commit, create

if TYPE_CHECKING:
    from .core import Core

_TRIES = 8
_NEWER_SECONDS = 60.0
"""After which others, who may know the version or the operation, are asked."""

_NO_ROOM_SECONDS = (2.0, 8.0)
"""After which it is asked again whether there is room; at random, so that not all ask at once."""

_REFUSED_SECONDS = (5.0, 15.0)
"""Likewise, where DynamoDB had no capacity."""

_LATER_SECONDS_MAX = 43_200.0
"""What SQS can hide a message for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Hint:
    """A message of a queue: look at this job. `new` is the job itself where nobody stored it.

    So it is where the gateway sent the caller's body straight to the queue: the record is made by
    whoever takes it first. `new.due` is then `new.created`, the time at which it was sent.
    """

    job_id: str
    operation: str
    version: int
    new: NewJob | None = None
    alone: bool = False  # it came by the queue of suspects


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """What became of a hint: a delivery to run, a hint to drop, or one for later.

    A hint of a delivery is to be dropped as well, from now on: the lease in the record brings the
    job back. With `later_seconds` the message is to be seen again after that, up to 12 hours; so is
    one that DynamoDB would not take or tell of (`refused`), which nobody has claimed.
    """

    hint: Hint
    delivery: Delivery | None = None
    later_seconds: float | None = None
    refused: EngineError | None = None

    @property
    def drop(self) -> bool:
        """Whether the message has done its work."""
        return self.later_seconds is None


async def take(core: Core, hints: Sequence[Hint], demands: Sequence[Demand]) -> list[Taken]:
    """What becomes of each hint, under the demand for its operation, whatever its `count` is."""
    known = {(demand.operation, demand.alone): demand for demand in demands}
    groups: dict[tuple[str, bool], dict[str, Hint]] = defaultdict(dict)
    for hint in hints:
        groups[hint.operation, hint.alone].setdefault(hint.job_id, hint)
    results = await gathered(
        _take_some(core, list(group.values()), known.get(named)) for named, group in groups.items()
    )
    taken = {one.hint.job_id: one for some in results for one in some}
    return [
        taken[hint.job_id] if taken[hint.job_id].hint is hint else Taken(hint=hint)
        for hint in hints
    ]


async def revive(core: Core, hints: Sequence[Hint]) -> tuple[int, int]:
    """Store the jobs that nobody has stored yet, and send hints of the others that wait.

    How many were stored, and how many hints were sent.
    """
    unstored = [hint.new for hint in hints if hint.new is not None]
    stored = await _stored(core, unstored)
    refused = [job for job in unstored if job.id not in stored]
    again = [replace(job, key=None) for job in refused if not await _repeats(core, job)]
    stored |= await _stored(core, again)
    rows = await parts.read(core.store, list({hint.job_id for hint in hints} - stored))
    waiting = [row for row in rows if row is not None and row.waits]
    await core.hints.send(waiting)
    return len(stored), len(waiting)


async def _stored(core: Core, jobs: Sequence[NewJob]) -> set[str]:
    """Store these; the ids of those that are new."""
    new = await accept(core, jobs)
    return {job.id for job, is_new in zip(jobs, new, strict=True) if is_new}


async def _repeats(core: Core, job: NewJob) -> bool:
    """Whether it repeats an earlier request under its key, whose job its id finds from now on."""
    bound = await repeats.bind(core, job)
    if bound.first is not None:
        await repeats.remember(core, job, bound.first)
    return bound.first is not None


async def _take_some(core: Core, hints: Sequence[Hint], demand: Demand | None) -> list[Taken]:
    """The same, of one operation: as many as its limits have room for."""
    if demand is None:
        return [Taken(hint=hint, later_seconds=_NEWER_SECONDS) for hint in hints]
    wanted = replace(demand, count=len(hints))
    room = await core.limits.draw(wanted)
    try:
        rows = await parts.read(core.store, [hint.job_id for hint in hints])
    except EngineError:
        await core.limits.give_back(wanted, room)
        raise
    places = sorted(range(len(hints)), key=lambda place: _due(hints[place], rows[place]))
    able = set(places[:room])
    results = await outcomes(
        _take(core, hint, row, demand, has_room=place in able)
        for place, (hint, row) in enumerate(zip(hints, rows, strict=True))
    )
    taken = [_told(core, hint, result) for hint, result in zip(hints, results, strict=True)]
    started = sum(one.delivery is not None for one in taken)
    if started < room:
        await core.limits.give_back(wanted, room - started)
    await core.told()
    return taken


def _told(core: Core, hint: Hint, result: Taken | BaseException) -> Taken:
    """What became of a hint; one that DynamoDB refused is for later, and none of the others'."""
    if isinstance(result, EngineError):
        seconds = core.randomness.uniform(*_REFUSED_SECONDS)
        return Taken(hint=hint, later_seconds=seconds, refused=result)
    if isinstance(result, BaseException):
        raise result
    return result


def _due(hint: Hint, row: Row | None) -> float:
    if row is not None:
        return row.due
    return 0.0 if hint.new is None else hint.new.due


async def _take(
    core: Core, hint: Hint, row: Row | None, demand: Demand, *, has_room: bool
) -> Taken:
    for _ in range(_TRIES):
        is_new, bound = row is None and hint.new is not None, repeats.Bound()
        if row is None and hint.new is not None:
            bound = await repeats.bind(core, hint.new)
            if bound.first is not None:
                await repeats.remember(core, hint.new, bound.first)
                return Taken(hint=hint)
            row = new_row(hint.new, core.store.now())
        if row is None or not await _has_turn(core, row, demand, is_new=is_new):
            return Taken(hint=hint)
        wait_seconds = _wait_seconds(core, row, demand, has_room=has_room)
        if wait_seconds is not None:
            return Taken(hint=hint, later_seconds=wait_seconds)
        delivery = await claim(core, row, demand, is_new=is_new, key=bound.key)
        if delivery is not None:
            return Taken(hint=hint, delivery=delivery)
        (row,) = await parts.read(core.store, [hint.job_id])
    return Taken(hint=hint, later_seconds=core.randomness.uniform(*_NO_ROOM_SECONDS))


async def _has_turn(core: Core, row: Row, demand: Demand, *, is_new: bool) -> bool:
    """Whether it waits for somebody like this; one that came too late is for the sweep to end."""
    is_late = row.deadline <= core.store.now()
    if is_late and is_new and not await commit(core.store, [create(core.store, row)]):
        core.counters.count(None, row)
    return (
        row.waits and not is_late and row.attempt < row.attempts_max and row.suspect is demand.alone
    )


def _wait_seconds(core: Core, row: Row, demand: Demand, *, has_room: bool) -> float | None:
    """After how long it may be taken; None: now."""
    if row.version > demand.version_max:
        return _NEWER_SECONDS
    early_seconds = row.due - core.store.now()
    if early_seconds > 0:
        return min(early_seconds, _LATER_SECONDS_MAX)
    return None if has_room else core.randomness.uniform(*_NO_ROOM_SECONDS)

"""Idempotency keys: each an item of the table of jobs, changed under the stamp that was read.

A key's item has no `operation`, so it is no row; the sweep's index shows it once it is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...engine.idempotency import KeyEnd, KeyHold, KeyRecord, KeyWish
from ...engine.values import NewJob
from ...errors import EngineUnavailableError
from .key_rows import KeyRow, bound, ended, extended, held, to_image, to_key, to_key_row
from .store import gathered
from .writes import Write, commit

if TYPE_CHECKING:
    from .core import Core

_TRIES = 20


@dataclass(frozen=True, slots=True)
class Binding:
    """Whether a job may be stored as far as its key goes, and the write that goes with it."""

    able: bool
    write: Write | None = None


async def bind(core: Core, jobs: Sequence[NewJob]) -> list[Binding]:
    """What lets the keys of these jobs stand for them; able and nothing for a job without one."""
    uses = [job.key for job in jobs if job.key is not None]
    if not uses:
        return [Binding(able=True) for _ in jobs]
    found = iter(await _read(core, [use.key for use in uses]))
    return [
        Binding(able=True) if job.key is None else _binding(core, job, next(found)) for job in jobs
    ]


async def claim(core: Core, wishes: Sequence[KeyWish]) -> list[KeyHold | KeyRecord]:
    """Hold the keys that are to be had; of the others, what they stand for."""
    return await gathered(_claim(core, wish) for wish in wishes)


async def look_up(core: Core, keys: Sequence[str]) -> list[KeyRecord | None]:
    """What the keys stand for, None for those that nobody used, or that have expired."""
    rows = await _read(core, keys)
    now = core.store.now()
    return [None if row is None or row.is_over(now) else row.record(now) for row in rows]


async def ending(core: Core, end: KeyEnd) -> Write | None:
    """The write that ends the hold on a key; None where somebody else holds it by now."""
    hold = end.hold
    (row,) = await _read(core, [hold.key])
    if row is None or not row.is_held_by(hold.job_id, hold.token):
        return None
    return _replace(core, hold.key, row, ended(row, end))


def _binding(core: Core, job: NewJob, row: KeyRow | None) -> Binding:
    use = job.key
    if use is None:
        return Binding(able=True)
    after = bound(row, use, job.id, core.store.now())
    if after is None:
        return Binding(able=False)
    return Binding(able=True, write=_replace(core, use.key, row, after))


async def _claim(core: Core, wish: KeyWish) -> KeyHold | KeyRecord:
    use = wish.use
    for _ in range(_TRIES):
        (row,) = await _read(core, [use.key])
        now = core.store.now()
        if row is not None and row.is_held_by(wish.job_id, use.token):
            after = extended(row, now + wish.lease_seconds)
        elif row is None or row.may_be_had(use, now):
            after = held(row, wish, now)
        else:
            return row.record(now)
        if not await commit(core.store, [_replace(core, use.key, row, after)]):
            return KeyHold(key=use.key, job_id=after.job_id, token=after.token)
    raise EngineUnavailableError("others write to the same key all the time")


async def _read(core: Core, keys: Sequence[str]) -> list[KeyRow | None]:
    images = await core.store.get(core.store.jobs, [to_key(key) for key in keys])
    return [None if image is None else to_key_row(image) for image in images]


def _replace(core: Core, key: str, before: KeyRow | None, after: KeyRow) -> Write:
    image = to_image(key, after)
    if before is None:
        return Write(table=core.store.jobs, image=image, condition="attribute_not_exists(id)")
    # A key that was purged begins anew, so its stamp alone does not say that it is the same one.
    values: dict[str, Any] = {
        ":stamp": {"N": str(before.stamp)},
        ":token": {"N": str(before.token)},
        ":job": {"S": before.job_id},
    }
    condition = "stamp = :stamp AND #token = :token AND job_id = :job"
    return Write(
        table=core.store.jobs,
        image=image,
        condition=condition,
        names={"#token": "token"},
        values=values,
    )

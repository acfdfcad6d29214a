"""Idempotency keys: each an item of the table of jobs, changed under the stamp that was read.

A key's item has no `operation`, so it is no row; the sweep's index shows it once it is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...engine.idempotency import KeyEnd, KeyHold, KeyRecord, KeyWish
from ...engine.key_rules import StoredKey, bound, ended, held
from ...engine.values import NewJob
from ...errors import EngineUnavailableError
from .codec import Image
from .key_images import to_image, to_key, to_stored
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
    found = [_stored(image) for image in await _read(core, keys)]
    now = core.store.now()
    return [None if key is None or key.is_over(now) else key.record(now) for key in found]


async def ending(core: Core, end: KeyEnd) -> Write | None:
    """The write that ends the hold on a key; None where somebody else holds it by now."""
    hold = end.hold
    (image,) = await _read(core, [hold.key])
    before = _stored(image)
    if before is None or not before.is_held_by(hold.job_id, hold.token):
        return None
    return _replace(core, hold.key, image, ended(before, end))


def _binding(core: Core, job: NewJob, image: Image | None) -> Binding:
    use = job.key
    if use is None:
        return Binding(able=True)
    after = bound(_stored(image), use, job.id, core.store.now())
    if after is None:
        return Binding(able=False)
    return Binding(able=True, write=_replace(core, use.key, image, after))


async def _claim(core: Core, wish: KeyWish) -> KeyHold | KeyRecord:
    key = wish.use.key
    for _ in range(_TRIES):
        (image,) = await _read(core, [key])
        after = held(_stored(image), wish, core.store.now())
        if isinstance(after, KeyRecord):
            return after
        if not await commit(core.store, [_replace(core, key, image, after)]):
            return KeyHold(key=key, job_id=after.job_id, token=after.token)
    raise EngineUnavailableError("others write to the same key all the time")


async def _read(core: Core, keys: Sequence[str]) -> list[Image | None]:
    return await core.store.get(core.store.jobs, [to_key(key) for key in keys])


def _stored(image: Image | None) -> StoredKey | None:
    return None if image is None else to_stored(image)


def _replace(core: Core, key: str, before: Image | None, after: StoredKey) -> Write:
    """Put a key in the place of what was read of it, if nobody else has."""
    if before is None:
        image = to_image(key, after, stamp=1)
        return Write(table=core.store.jobs, image=image, condition="attribute_not_exists(id)")
    # A key that was purged begins anew, so its stamp alone does not say that it is the same one.
    return Write(
        table=core.store.jobs,
        image=to_image(key, after, stamp=int(before["stamp"]["N"]) + 1),
        condition="stamp = :stamp AND #token = :token AND job_id = :job",
        names={"#token": "token"},
        values={":stamp": before["stamp"], ":token": before["token"], ":job": before["job_id"]},
    )

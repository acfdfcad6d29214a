"""Deleting what is over: records, tombstones and keys, by the sweep's index.

DynamoDB deletes by itself, too, what is two days past its time: where nobody calls this.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...engine.tombstone import Tombstone
from . import parts, sweep
from .codec import Image, to_row
from .codec import sweep as sweep_of
from .core import Core
from .rows import Row
from .store import gathered
from .tables import EXPIRY
from .writes import Write, commit

_PAGES_MAX = 20


async def purge(core: Core, count: int, tombstone_seconds: float) -> int:
    """Delete up to `count` records and keys past their time; how many."""
    purged = 0
    seen: set[str] = set()
    for _ in range(_PAGES_MAX):
        found = await sweep.found(core.store, "purge", count + len(seen))
        ids = [id_ for id_ in found if id_ not in seen][: count - purged]
        if not ids:
            break
        seen |= set(ids)
        images = await core.store.get(core.store.jobs, [{"id": {"S": id_}} for id_ in ids])
        deleted = await gathered(
            _purge(core, image, tombstone_seconds) for image in images if image is not None
        )
        purged += sum(deleted)
        if purged >= count:
            break
    await core.counters.flush()
    await core.mending.look()
    return purged


async def gone(core: Core, ids: Sequence[str]) -> list[Tombstone | None]:
    """The tombstone of each, where there is one."""
    images = await core.store.get(core.store.jobs, [{"id": {"S": id_}} for id_ in ids])
    now = core.store.now()
    return [
        Tombstone(owner=image["owner"]["S"] if "owner" in image else None)
        if image is not None and "gone" in image and float(image["look_at"]["N"]) > now
        else None
        for image in images
    ]


async def _purge(core: Core, image: Image, tombstone_seconds: float) -> bool:
    """Delete one; True unless it was a tombstone, or somebody else was faster."""
    row = to_row(image)
    if row is None or row.expires is None:
        refused = await commit(core.store, [_delete(core, image)])
        return not refused and "gone" not in image
    until = row.expires + tombstone_seconds
    write = _delete(core, image)
    if until > core.store.now():
        write = _bury(core, row, until)
    if await commit(core.store, [write]):
        return False
    core.counters.count(row, None)
    await parts.delete(core.store, [row])
    return True


def _delete(core: Core, image: Image) -> Write:
    return Write(
        action="Delete",
        table=core.store.jobs,
        image={"id": image["id"]},
        condition="look_at = :look_at",
        values={":look_at": image["look_at"]},
    )


def _bury(core: Core, row: Row, until: float) -> Write:
    image = {
        "id": {"S": row.id},
        "gone": {"BOOL": True},
        "sweep": {"S": sweep_of("purge", row.id)},
        "look_at": {"N": repr(until)},
        EXPIRY: {"N": str(int(until))},
    }
    if row.owner is not None:
        image["owner"] = {"S": row.owner}
    return Write(
        table=core.store.jobs,
        image=image,
        condition="stamp = :stamp",
        values={":stamp": {"N": str(row.stamp)}},
    )

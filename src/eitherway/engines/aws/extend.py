"""Holding leases longer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...engine.stored import to_text
from ...engine.values import Extension, Lease
from ...errors import EngineUnavailableError
from ...job import JobState
from . import parts
from .core import Core
from .rows import Row, Told, quiet
from .store import gathered
from .writes import commit, swap

TRIES = 5


async def extend(core: Core, extensions: Sequence[Extension]) -> list[bool]:
    """Hold leases longer, and record progress; False where one is lost."""
    if extensions:
        await core.limits.hold(max(extension.lease_seconds for extension in extensions))
    held = await gathered(_extend(core, extension) for extension in extensions)
    if any(extension.progress is not None for extension in extensions):
        await core.told()
    return held


async def held_rows(core: Core, leases: Sequence[Lease]) -> list[Row | None]:
    """The rows of these leases: as this process wrote them last, else as they are stored."""
    known = [core.held.get(lease.job_id) for lease in leases]
    missing = [
        lease.job_id
        for lease, row in zip(leases, known, strict=True)
        if row is None or row.token != lease.token
    ]
    if not missing:
        return known
    found = dict(zip(missing, await parts.read(core.store, missing), strict=True))
    return [found.get(lease.job_id, row) for lease, row in zip(leases, known, strict=True)]


async def _extend(core: Core, extension: Extension) -> bool:
    lease = extension.lease
    for _ in range(TRIES):
        (row,) = await held_rows(core, [lease])
        if row is None or not row.holds(lease.token):
            if row is None or row.state is not JobState.CANCELED:
                core.limits.forget(lease)  # of a canceled job, when its handler returns
            return False
        after = _extended(row, extension, core.store.now())
        if not await commit(core.store, [swap(core.store, row, after)]):
            core.held[row.id] = after
            return True
        core.held.pop(lease.job_id, None)
    raise EngineUnavailableError(f"others write job {lease.job_id} all the time")


def _extended(row: Row, extension: Extension, now: float) -> Row:
    until = now + extension.lease_seconds
    longer = quiet(row, lease_until=until, look_at=until)
    if extension.progress is None:
        return longer
    news = Told(row.revision + 1, row.state, now, progress=True)
    return replace(
        longer,
        revision=news.revision,
        updated=now,
        progress=to_text(extension.progress),
        told=(news,),
    )

"""The sweep: takes over what lapsed or expired, and sends hints that are late.

The index may be behind by a moment, so every find is settled by a conditional write.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from ...engine.values import Lease, Overdue
from ...errors import EngineError
from . import parts, sweep
from .cancel import let_go
from .core import Core
from .rows import Row, quiet, to_record
from .store import gathered, outcomes, some
from .sweep import look_at
from .writes import commit, swap

logger = logging.getLogger("eitherway.engine")

_ROUNDS_MAX = 20
"""Of one call: finds that are for nobody to settle may stand before those that are."""


async def overdue(core: Core, count: int, lease_seconds: float) -> list[Overdue]:
    """Take over up to `count` jobs; send the hints of others that wait."""
    taken: list[Overdue] = []
    seen: set[str] = set()
    for _ in range(_ROUNDS_MAX):
        left = count - len(taken)
        if left <= 0:
            break
        found = await sweep.found(core.store, "look", left + len(seen))
        new = [id_ for id_ in found if id_ not in seen]
        # In any order, so that several who look do not all try the same ones first.
        ids = sorted(new, key=lambda _: core.randomness.uniform(0, 1))[:left]
        if not ids:
            break
        seen |= set(ids)
        try:
            rows = [row for row in await parts.read(core.store, ids) if row is not None]
            taken += await _look(core, rows, lease_seconds)
        except EngineError as error:
            if not taken:
                raise
            logger.warning("no more overdue jobs for now: %s", error)
            break
    return taken


async def _look(core: Core, rows: Sequence[Row], lease_seconds: float) -> list[Overdue]:
    now = core.store.now()
    late = [row for row in rows if _is_overdue(row, now)]
    await gathered(
        let_go(core, row.id) for row in rows if row.ended and row.lease_until is not None
    )
    await _remind(core, [row for row in rows if row.waits and now < row.deadline], now)
    taken = some(await outcomes(_take_over(core, row, now, lease_seconds) for row in late))
    return [each for each in taken if each is not None]


def _is_overdue(row: Row, now: float) -> bool:
    if row.ended:
        return False
    if row.lease_until is not None:
        return row.lease_until <= now
    return row.deadline <= now


async def _take_over(core: Core, row: Row, now: float, lease_seconds: float) -> Overdue | None:
    until = now + lease_seconds
    after = quiet(row, token=row.token + 1, lease_until=until, look_at=until)
    if await commit(core.store, [swap(core.store, row, after)]):
        return None
    core.held[row.id] = after
    return Overdue(
        lease=Lease(job_id=row.id, token=after.token, alone=False),
        job=to_record(after, now),
        lost_alone=row.alone,
    )


async def _remind(core: Core, rows: Sequence[Row], now: float) -> None:
    """Send the hints of jobs whose turn to be looked at has come, and look later again."""
    due = [row for row in rows if row.look_at is not None and row.look_at <= now]
    later = [quiet(row, look_at=None) for row in due]
    later = [replace(row, look_at=look_at(row, now)) for row in later]
    pairs = list(zip(due, later, strict=True))
    refused = await gathered(commit(core.store, [swap(core.store, *pair)]) for pair in pairs)
    await core.hints.send(
        after for (_, after), lost in zip(pairs, refused, strict=True) if not lost
    )

"""Handing out due jobs: those that hints name, and, where these are too few, those of the index."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ...engine.values import Delivery, Demand, Lease
from ...errors import EngineError
from ...job import JobState
from . import parts, waiting
from .core import Core
from .rows import Row, message_of, moved, to_record
from .store import outcomes, some, whole
from .writes import Write, commit, create, swap

logger = logging.getLogger("eitherway.engine")

_ROUNDS = 12
"""How often it is looked for others, where somebody else was faster."""

_CROWD = 4
"""Among how many times the jobs that are wanted, then."""


async def receive(core: Core, demands: Sequence[Demand]) -> list[Delivery]:
    """Lease due jobs, as many as each demand asks for and its limits allow."""
    wanted = [demand for demand in demands if demand.count > 0]
    results = await outcomes(_receive(core, demand) for demand in wanted)
    deliveries = [delivery for one in some(results) for delivery in one]
    if not deliveries:
        whole(results)  # nothing is lost by raising it
    return deliveries


async def claim(
    core: Core, row: Row, demand: Demand, *, is_new: bool = False, key: Write | None = None
) -> Delivery | None:
    """Lease a row as it was read, or one that `is_new`; None where somebody else was faster.

    With `key`, what makes its key stand for it is part of that write.
    """
    now = core.store.now()
    until = now + demand.lease_seconds
    leased = moved(
        row,
        JobState.RUNNING,
        now,
        now,
        started=now if row.started is None else row.started,
        attempt=row.attempt + 1,
        starts=row.starts + 1,
        attempt_started=now,
        alone=demand.alone,
        token=row.token + 1,
        lease_until=until,
        look_at=until,
        uses=tuple(rule.name for rule in demand.limits),
    )
    write = swap(core.store, row, leased)
    if is_new:
        leased = replace(leased, told=(*row.told, *leased.told))
        await parts.store_payload(core.store, leased)
        write = create(core.store, leased)
    if await commit(core.store, [write] if key is None else [write, key]):
        return None
    core.held[row.id] = leased
    core.limits.started(leased)
    core.counters.count(None if is_new else row, leased)
    return delivery_of(leased, now)


def delivery_of(row: Row, now: float) -> Delivery:
    """A leased row, as its holder gets it."""
    lease = Lease(job_id=row.id, token=row.token, alone=row.alone)
    return Delivery(lease=lease, job=to_record(row, now), message=message_of(row))


async def _receive(core: Core, demand: Demand) -> list[Delivery]:
    deliveries: list[Delivery] = []
    passed: set[str] = set()
    for tried in range(_ROUNDS):
        left = replace(demand, count=demand.count - len(deliveries))
        try:
            claimed, is_all = await _round(core, left, passed, is_first=not tried)
        except EngineError as error:
            if not deliveries:
                raise
            logger.warning("no more jobs of %s for now: %s", demand.operation, error)
            break  # what is claimed is handed out all the same: nobody else would run it
        deliveries += claimed
        if is_all or len(deliveries) == demand.count:
            break
    if deliveries:
        await core.told()
    return deliveries


async def _round(
    core: Core, demand: Demand, passed: set[str], *, is_first: bool
) -> tuple[list[Delivery], bool]:
    """Claim some; those, and whether that was all there are, or there is no room for more."""
    hints = await core.hints.take(demand, demand.count)
    # Where others were faster, they ask for the same ones: better for any of the next ones.
    look_at = demand.count * (1 if is_first else _CROWD)
    ids = await _candidates(core, demand, hints, look_at, passed)
    able = await _able(core, demand, ids, hints)
    if not is_first:
        able.sort(key=lambda _: core.randomness.uniform(0, 1))
    wanted = able[: demand.count]
    claimed, room = await _claim(core, demand, wanted)
    passed |= set(ids) - {row.id for row in able} | {row.id for row in wanted}
    await _keep(core, demand, hints, able[room:])
    return claimed, room < len(wanted) or len(ids) < look_at


async def _candidates(
    core: Core, demand: Demand, hints: Mapping[str, str], count: int, passed: set[str]
) -> list[str]:
    """Jobs that may be due: those of hints and, where these are too few, those of the index."""
    if len(hints) >= count:
        return list(hints)
    found = await waiting.due(core.store, demand, core.store.now(), count + len(passed))
    return [*hints, *(each.id for each in found if each.id not in passed and each.id not in hints)]


async def _able(core: Core, demand: Demand, ids: Sequence[str], hints: dict[str, str]) -> list[Row]:
    """Those of these jobs that may be handed out, the first due first; the others' hints go."""
    now = core.store.now()
    rows = {row.id: row for row in await parts.read(core.store, ids) if row is not None}
    able = [row for row in rows.values() if waiting.can_start(row, demand, now)]
    unable = hints.keys() - {row.id for row in able}
    later = {id_ for id_ in unable if id_ in rows and rows[id_].waits}
    await core.hints.leave(demand, {id_: hints.pop(id_) for id_ in later})
    await core.hints.done(demand, {id_: hints.pop(id_) for id_ in unable - later})
    return sorted(able, key=lambda row: (row.due, row.id))


async def _keep(
    core: Core, demand: Demand, hints: dict[str, str], unclaimed: Sequence[Row]
) -> None:
    """Keep the hints of these; those of the others have done their work."""
    kept = {row.id: hints.pop(row.id) for row in unclaimed if row.id in hints}
    core.hints.keep(demand, kept)
    await core.hints.done(demand, hints)


async def _claim(core: Core, demand: Demand, able: Sequence[Row]) -> tuple[list[Delivery], int]:
    """Claim as many of these as the limits have room for; those, and for how many there was."""
    if not able:
        return [], 0
    wanted = replace(demand, count=len(able))
    room = await core.limits.draw(wanted)
    claimed: list[Delivery | None] = []
    try:
        claimed = some(await outcomes(claim(core, row, demand) for row in able[:room]))
    finally:
        unused = room - sum(delivery is not None for delivery in claimed)
        if unused:
            await core.limits.give_back(wanted, unused)
    return [delivery for delivery in claimed if delivery is not None], room

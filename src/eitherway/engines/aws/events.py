"""The event log: the stream of the table of jobs, read on from a place in each of its shards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...engine.event_query import EventPage, OwnedBy, WhichJobs
from ...engine.values import Event
from ...engine.waking import Topic
from ...errors import EngineError
from .core import Core
from .cursors import BEGINNING, to_cursor, to_places
from .stream import Piece, Stream

_PAUSE_SECONDS = 1.0
"""Between two looks: a stream cannot be waited for."""

_READS_MAX = 4
"""Requests to a shard for one page; and to find its end, before one goes on from its latest."""


async def events(
    core: Core, after: str | None, wait_seconds: float, jobs: WhichJobs | None
) -> EventPage:
    """Events after the cursor; waits for the first one. With None the cursor of now."""
    if after is None:
        return EventPage(events=(), cursor=to_cursor(await _now(core.log)), is_end=True)
    places = await _resumed(core.log, after)
    until = core.store.clock.monotonic() + wait_seconds
    while True:
        seen = core.wake.count(Topic.EVENTS)
        found, places, is_end = await _page(core.log, places, jobs)
        left = until - core.store.clock.monotonic()
        if found or left <= 0 or core.wake.closed:
            return EventPage(events=found, cursor=to_cursor(places), is_end=is_end)
        if is_end:
            await core.wake.wait(Topic.EVENTS, seen, min(left, _PAUSE_SECONDS))


async def _now(log: Stream) -> dict[str, str]:
    """A place at the end of each shard that is written to."""
    places: dict[str, str] = {}
    for shard in (await log.shards(fresh=True)).values():
        if shard.is_open:
            places[shard.id] = await _end(log, shard.id)
    return places


async def _end(log: Stream, shard: str) -> str:
    place = log.ends.get(shard, BEGINNING)
    for _ in range(_READS_MAX):
        piece = await log.read(shard, place)
        place = piece.place
        if piece.is_last or piece.ended:
            log.ends[shard] = place
            return place
    return await log.now(shard)


async def _resumed(log: Stream, cursor: str) -> dict[str, str]:
    """The places of a cursor, in the shards that there are by now."""
    places = to_places(cursor)
    known = await log.shards()
    if not places.keys() <= known.keys():
        known = await log.shards(fresh=True)
    if not places.keys() & known.keys():
        raise EngineError(f"the cursor {cursor!r} is of another log, or older than a day")
    gone = places.keys() - known.keys()
    following = {shard.id: BEGINNING for shard in known.values() if shard.parent in gone}
    return following | {shard: place for shard, place in places.items() if shard in known}


async def _page(
    log: Stream, places: dict[str, str], jobs: WhichJobs | None
) -> tuple[list[Event], dict[str, str], bool]:
    """The next events of these jobs, the places after them, whether all shards were read out."""
    found: list[Event] = []
    at = dict(places)
    is_end = True
    for shard in sorted(places):
        for _ in range(_READS_MAX):
            piece = await log.read(shard, at[shard])
            wanted = _wanted(piece, jobs)
            found += [
                replace(event, cursor=to_cursor({**at, shard: place})) for place, event in wanted
            ]
            at[shard] = piece.place
            if piece.is_last or piece.ended:
                log.ends[shard] = piece.place
            if wanted or piece.is_last or piece.ended:
                break
        is_out = not await _goes_on(log, at, shard) if piece.ended else piece.is_last
        is_end = is_end and is_out
    return found, at, is_end


def _wanted(piece: Piece, jobs: WhichJobs | None) -> Sequence[tuple[str, Event]]:
    there = [pair for pair in piece.events if pair[1].job_id not in piece.removed]
    if jobs is None:
        return there
    if isinstance(jobs, OwnedBy):
        return [pair for pair in there if pair[1].owner == jobs.owner]
    ids = set(jobs)
    return [pair for pair in there if pair[1].job_id in ids]


async def _goes_on(log: Stream, at: dict[str, str], ended: str) -> bool:
    """A shard is over: those that follow it, if any, are read from their beginning."""
    shards = await log.shards(fresh=True)
    following = [shard.id for shard in shards.values() if shard.parent == ended]
    if following:
        del at[ended]
        at.update(dict.fromkeys(following, BEGINNING))
    return bool(following)

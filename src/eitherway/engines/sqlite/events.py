"""Reading events after a cursor. The cursor is the `seq` of the last one, as text."""

from __future__ import annotations

from ...engine.event_query import EventPage, OwnedBy, WhichJobs
from ...engine.values import Event
from ...errors import EngineError
from .reader import Reader, to_seq
from .rows import STATES

PAGE_MAX = 250
"""Events of a page: about a millisecond of the event loop."""


def now_page(reader: Reader) -> EventPage:
    """No events, and the cursor of now."""
    return EventPage(events=(), cursor=str(_now(reader)), is_end=True)


def page_after(reader: Reader, cursor: str, jobs: WhichJobs | None) -> EventPage:
    """The first events after the cursor; without any, the same cursor."""
    where = {"after": to_seq(cursor), "count": PAGE_MAX}
    if isinstance(jobs, OwnedBy):
        rows = reader.all("events_owned", owner=jobs.owner, **where)
    elif jobs is None:
        rows = reader.all("events", **where)
    else:
        # Up to one moment: what is committed between the queries comes with the next page.
        upto = _now(reader)
        found = [reader.all("events_of", id=job, upto=upto, **where) for job in set(jobs)]
        rows = sorted(row for each in found for row in each)[:PAGE_MAX]
    events = tuple(
        Event(job_id, revision, STATES[state], at, bool(progress), str(seq), whose)
        for seq, job_id, revision, state, at, progress, whose in rows
    )
    if not rows and where["after"] > _now(reader):
        raise EngineError(f"the cursor {cursor!r} is of another log than this one")
    return EventPage(
        events=events,
        cursor=str(rows[-1][0]) if rows else cursor,
        is_end=len(rows) < PAGE_MAX,
    )


def _now(reader: Reader) -> int:
    ((seq,),) = reader.all("events_now")
    return int(seq)

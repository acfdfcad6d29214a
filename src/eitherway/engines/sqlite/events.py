"""Reading events after a cursor. The cursor is the `seq` of the last one, as text."""

from __future__ import annotations

from ...engine.values import Event, EventPage
from ...errors import EngineError
from ...job import JobState
from .reader import Reader

PAGE_MAX = 250
"""Events of a page: about a millisecond of the event loop."""


def now_page(reader: Reader) -> EventPage:
    """No events, and the cursor of now."""
    ((seq,),) = reader.all("events_now")
    return EventPage(events=(), cursor=str(seq))


def page_after(reader: Reader, cursor: str) -> EventPage:
    """The first events after the cursor; without any, the same cursor."""
    if not cursor.isdecimal():
        raise EngineError(f"{cursor!r} is no cursor of this engine")
    rows = reader.all("events", after=int(cursor), count=PAGE_MAX)
    events = tuple(
        Event(job_id=job_id, sequence=revision, state=JobState(state), at=at)
        for _, job_id, revision, state, at in rows
    )
    return EventPage(events=events, cursor=str(rows[-1][0]) if rows else cursor)

"""Cursors of the event log: a place in each shard of the stream, as text.

A place is `-` (the shard's beginning), `SEQUENCE.N` (N events of that record are told), or
`@SECONDS` (what was written after that time).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ...errors import EngineError

BEGINNING = "-"

_PLACE = r"(?:-|@\d+(?:\.\d+)?|\d+\.\d+)"
_SHARD = r"[A-Za-z0-9_-]+"
_CURSOR = re.compile(rf"{_SHARD}:{_PLACE}(?:~{_SHARD}:{_PLACE})*\Z")
_COMMON = "shardId-"


def to_cursor(places: Mapping[str, str]) -> str:
    """The text of a place in each shard."""
    return "~".join(
        f"{shard.removeprefix(_COMMON)}:{place}" for shard, place in sorted(places.items())
    )


def to_places(cursor: str) -> dict[str, str]:
    """The place in each shard. `EngineError` for a text that is no cursor."""
    if not _CURSOR.match(cursor):
        raise EngineError(f"{cursor!r} is no cursor of this log")
    pairs = (part.rpartition(":") for part in cursor.split("~"))
    return {f"{_COMMON}{shard}": place for shard, _, place in pairs}


def at(sequence: str, told: int) -> str:
    """The place after so many events of a record, whose number is kept to the letter."""
    return f"{sequence}.{told}"


def split(place: str) -> tuple[str, int]:
    """The record of a place, and how many of its events are told."""
    sequence, _, told = place.partition(".")
    return sequence, int(told)

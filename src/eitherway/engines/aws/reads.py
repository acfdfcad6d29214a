"""Records and messages, as they are now."""

from __future__ import annotations

from collections.abc import Sequence

from ...engine.values import Message
from ...job import JobRecord
from . import parts
from .core import Core
from .rows import message_of, to_record


async def records(core: Core, ids: Sequence[str]) -> list[JobRecord | None]:
    """The records, None where there is none."""
    rows = await parts.read(core.store, ids)
    now = core.store.now()
    return [None if row is None else to_record(row, now) for row in rows]


async def messages(core: Core, ids: Sequence[str]) -> list[Message | None]:
    """What was asked, None where there is no such job."""
    rows = await parts.read(core.store, ids)
    return [None if row is None else message_of(row) for row in rows]

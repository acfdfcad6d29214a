"""Records and messages, as they are now."""

from __future__ import annotations

from collections.abc import Sequence

from ...engine.values import Message
from ...job import JobRecord
from . import parts
from .codec import Image
from .core import Core
from .repeats import named
from .rows import message_of, to_record


async def records(core: Core, ids: Sequence[str]) -> list[JobRecord | None]:
    """The records, None where there is none; for a repeat's id, that of the first job."""
    images = await _images(core, ids)
    firsts = {place: first for place, image in enumerate(images) if (first := named(image))}
    if firsts:
        for place, image in zip(firsts, await _images(core, list(firsts.values())), strict=True):
            images[place] = image
    rows = await parts.load(core.store, images)
    now = core.store.now()
    return [None if row is None else to_record(row, now) for row in rows]


async def messages(core: Core, ids: Sequence[str]) -> list[Message | None]:
    """What was asked, None where there is no such job."""
    rows = await parts.read(core.store, ids)
    return [None if row is None else message_of(row) for row in rows]


async def _images(core: Core, ids: Sequence[str]) -> list[Image | None]:
    return list(await core.store.get(core.store.jobs, [{"id": {"S": id_}} for id_ in ids]))

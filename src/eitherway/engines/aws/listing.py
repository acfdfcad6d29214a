"""Listing jobs for operators, the newest first. The cursor is the last one's place in the index.

Dead letters have an index of their own. For anything else jobs are looked at one after the other,
so many at a time: a page may then be short, or empty, and go on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from ...engine.listing import JobFilter, JobPage
from ...errors import EngineError
from ...job import FailureKind, JobRecord, JobState
from . import parts
from .core import Core
from .rows import to_record
from .store import Store, gathered
from .tables import DEAD_INDEX, LISTED_INDEX

LOOKED_AT_MAX = 100
"""Jobs of each operation that a page looks at."""

_CURSOR = re.compile(r"\d{13}#\S+\Z")
_FIRST = "~"  # after every place


class _Found(NamedTuple):
    """A part of an index: places, the last first, and what was looked at last if it goes on."""

    places: list[tuple[str, str]]  # `listed`, id
    horizon: str | None


async def page(core: Core, wanted: JobFilter, after: str | None, count: int) -> JobPage:
    """The first jobs after the cursor that the filter lets through."""
    if after is not None and not _CURSOR.match(after):
        raise EngineError(f"{after!r} is no cursor of a list")
    if count < 1:
        return JobPage(jobs=(), cursor=after)
    operations = wanted.operations
    if operations is None:
        operations = list(await core.counters.all())
    found = await gathered(
        _look(core.store, wanted, operation, after or _FIRST, count)
        for operation in dict.fromkeys(operations)
    )
    # Below the highest horizon something may be missing.
    horizon = max((part.horizon for part in found if part.horizon is not None), default=None)
    places = sorted(
        (place for part in found for place in part.places if place[0] >= (horizon or "")),
        reverse=True,
    )
    records = await _records(core, [id_ for _, id_ in places], wanted)
    kept = [(listed, record) for (listed, _), record in zip(places, records, strict=True) if record]
    cursor = horizon
    if len(kept) > count:
        kept = kept[:count]
        cursor = kept[-1][0]
    return JobPage(jobs=tuple(record for _, record in kept), cursor=cursor)


async def _records(core: Core, ids: Sequence[str], wanted: JobFilter) -> list[JobRecord | None]:
    rows = await parts.read(core.store, ids) if ids else []
    now = core.store.now()
    records = [None if row is None else to_record(row, now) for row in rows]
    return [record if record is not None and _fits(record, wanted) else None for record in records]


def _fits(record: JobRecord, wanted: JobFilter) -> bool:
    dead = record.state is JobState.FAILED and record.kind is not FailureKind.REJECTED
    return (
        (wanted.operations is None or record.operation in wanted.operations)
        and (wanted.states is None or record.state in wanted.states)
        and (dead or not wanted.dead)
        and (wanted.cause is None or record.cause == wanted.cause)
    )


async def _look(store: Store, wanted: JobFilter, operation: str, before: str, count: int) -> _Found:
    is_dead = wanted.dead or wanted.cause is not None
    is_plain = wanted.states is None and wanted.cause is None
    limit = min(count + 1, LOOKED_AT_MAX) if is_plain else LOOKED_AT_MAX
    arguments: dict[str, Any] = {
        "TableName": store.jobs,
        "IndexName": DEAD_INDEX if is_dead else LISTED_INDEX,
        "KeyConditionExpression": "#operation = :operation AND listed < :before",
        "ExpressionAttributeNames": {"#operation": "dead" if is_dead else "operation"},
        "ExpressionAttributeValues": {":operation": {"S": operation}, ":before": {"S": before}},
        "ScanIndexForward": False,
        "Limit": limit,
    }
    if wanted.cause is not None:
        arguments["FilterExpression"] = "cause = :cause"
        arguments["ExpressionAttributeValues"][":cause"] = {"S": wanted.cause}
    answer = await store.call(store.dynamo.query, **arguments)
    last = answer.get("LastEvaluatedKey")
    return _Found(
        [(image["listed"]["S"], image["id"]["S"]) for image in answer["Items"]],
        None if last is None else last["listed"]["S"],
    )

"""Dead letters: found, grouped by what killed them, and chosen to be sent again or deleted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

from ..engine.contract import Engine
from ..engine.listing import JobFilter
from ..errors import InvalidInputError
from ..job import FailureKind, JobRecord

PAGE = 200
SCANNED_MAX = 10_000
"""Letters that a grouping looks at, the newest first: it has to end, whatever has happened."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadGroup:
    """Dead letters that died of the same thing. Times are when they died."""

    operation: str
    kind: FailureKind | None
    cause: str | None
    count: int
    oldest: float
    newest: float
    sample: str  # the id of the newest


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadGroups:
    """The groups, the largest first; `complete` unless there were more than could be looked at."""

    groups: Sequence[DeadGroup]
    complete: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """Which dead letters are meant: these ids, or all of an operation, of a cause, or of both."""

    ids: Sequence[str] | None = None
    operation: str | None = None
    cause: str | None = None

    def __post_init__(self) -> None:
        by_group = self.operation is not None or self.cause is not None
        if by_group == (self.ids is not None):
            raise InvalidInputError(
                "say which dead letters: either ids, or an operation or a cause"
            )

    def filter(self) -> JobFilter:
        """The letters of an operation or a cause."""
        operations = None if self.operation is None else [self.operation]
        return JobFilter(operations=operations, dead=True, cause=self.cause)


async def dead_groups(engine: Engine, wanted: JobFilter, scanned_max: int) -> DeadGroups:
    """Group what is dead by operation, kind and cause."""
    groups: dict[tuple[str, str | None, str | None], DeadGroup] = {}
    scanned, complete = 0, True
    async for letter in letters(engine, wanted):
        if scanned == scanned_max:
            complete = False
            break
        scanned += 1
        key = (letter.operation, letter.kind, letter.cause)
        died = letter.finished or letter.updated
        known = groups.get(key)
        groups[key] = _alone(letter, died) if known is None else _joined(known, letter, died)
    ordered = sorted(groups.values(), key=lambda group: (-group.count, group.operation))
    return DeadGroups(groups=ordered, complete=complete)


async def letters(engine: Engine, wanted: JobFilter) -> AsyncIterator[JobRecord]:
    """Every dead letter that is wanted, the newest job first."""
    wanted = replace(wanted, dead=True)
    cursor: str | None = None
    while True:
        page = await engine.list(wanted, cursor, PAGE)
        for letter in page.jobs:
            yield letter
        cursor = page.cursor
        if cursor is None:
            return
        await asyncio.sleep(0)  # an engine may answer without a pause: let others have a turn


def _alone(letter: JobRecord, died: float) -> DeadGroup:
    return DeadGroup(
        operation=letter.operation,
        kind=letter.kind,
        cause=letter.cause,
        count=1,
        oldest=died,
        newest=died,
        sample=letter.id,
    )


def _joined(group: DeadGroup, letter: JobRecord, died: float) -> DeadGroup:
    return replace(
        group,
        count=group.count + 1,
        oldest=min(group.oldest, died),
        newest=max(group.newest, died),
        sample=letter.id if died > group.newest else group.sample,
    )

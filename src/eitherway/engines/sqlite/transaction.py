"""One group's transaction, as its handlers see it."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from ...engine.contract import Step
from ...engine.stored import to_text
from ...engine.waking import Topic
from ...job import FailureKind, JobState
from .buckets import Buckets
from .claimed import Claimed
from .limits import Limits
from .queries import QUERIES, of_many, of_rows
from .rows import Row, fallen_due, keys_of

DEAD = "dead"
"""Counted like a state: the failed jobs that nobody rejected."""

ENDED = "ended"
"""Counted like a state: every end there has been."""

_VALUES_MAX = 999
"""Of one statement, before SQLite 3.32."""

_ROWS_MAX, _ROWS_STEP = 64, 16
"""Of one statement, at the most; past the step it is a multiple of it."""

_FEW = 4

Became = tuple[int, str, float, str | None]
"""A job's revision and state, since when, and its owner."""

_FAILED, _QUEUED = JobState.FAILED.value, JobState.QUEUED.value
_SCHEDULED = JobState.SCHEDULED.value
_REJECTED = FailureKind.REJECTED.value


@dataclass(kw_only=True, slots=True)
class Transaction:
    """The open transaction: its cursor, its time, and what to tell when it has committed.

    Bind plain ints and strings on hot paths: an enum or a bool takes several times as long.
    """

    cursor: sqlite3.Cursor
    now: float
    at_step: Step
    claimed: Claimed
    topics: set[Topic] = field(default_factory=set)
    events: list[tuple[int, int, str, float, int, str | None]] = field(default_factory=list)
    tally: defaultdict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    limits: Limits = field(init=False)
    buckets: Buckets = field(init=False)

    def __post_init__(self) -> None:
        self.limits = Limits(self)
        self.buckets = Buckets(self)

    def all(self, query: str, **values: Any) -> list[Any]:
        """Every row that the named query finds."""
        return self.cursor.execute(QUERIES[query], values).fetchall()

    def one(self, query: str, **values: Any) -> Any:
        """The first row that the named query finds, or None."""
        return self.cursor.execute(QUERIES[query], values).fetchone()

    def each(self, query: str, rows: Sequence[tuple[Any, ...]]) -> int:
        """Run the named statement for each row; how many rows of the table changed."""
        return self.cursor.executemany(QUERIES[query], rows).rowcount if rows else 0

    def each_of(self, query: str, values: Sequence[Any], seqs: Sequence[int]) -> None:
        """Run the named change of a job for all of these, with the same values.

        One statement for all takes as long as a few single ones, and a third of as many.
        """
        if len(seqs) < _FEW:
            self.each(query, [(*values, seq) for seq in seqs])
        else:
            self.cursor.execute(of_many(query), (*values, to_text(seqs)))

    def insert(self, query: str, rows: Sequence[tuple[Any, ...]]) -> int:
        """Run the named insertion of one row for many; how many the table has more.

        Some at a time: each statement lets go of the interpreter, and waits to get it back.
        """
        inserted, start = 0, 0
        while start < len(rows):
            count = min(len(rows) - start, _VALUES_MAX // len(rows[0]), _ROWS_MAX)
            if count > _ROWS_STEP:
                count -= count % _ROWS_STEP  # of few lengths: they stay compiled
            values = chain.from_iterable(rows[start : start + count])
            inserted += self.cursor.execute(of_rows(query, count), [*values]).rowcount
            start += count
        return inserted

    def add_event(
        self,
        job_seq: int,
        revision: int,
        state: str,
        at: float,
        owner: str | None,
        *,
        progress: bool = False,
    ) -> None:
        """Say that the owner's job has this state since `at`, under this revision."""
        self.events.append((job_seq, revision, state, at, 1 if progress else 0, owner))

    def count(self, operation: str, state: str, kind: str | None, change: int) -> None:
        """Count jobs that came to this state, or went away from it."""
        self.tally[operation, state] += change
        if state == _FAILED and kind != _REJECTED:
            self.tally[operation, DEAD] += change

    def fallen_due(self, row: Row) -> Row:
        """The row as it reads now, to be rewritten; the event that it was queued is added."""
        fallen = fallen_due(row, self.now)
        if fallen is not row:
            self.note_due(row.operation, row.seq, fallen.revision, fallen.updated, row.owner)
        return fallen

    def note_due(
        self, operation: str, seq: int, revision: int, at: float, owner: str | None
    ) -> None:
        """Say that a scheduled job was queued when it fell due, and count it there."""
        self.add_event(seq, revision, _QUEUED, at, owner)
        self.count(operation, _SCHEDULED, None, -1)
        self.count(operation, _QUEUED, None, 1)

    def free(self, uses: str, stored_keys: str | None, count: int = 1) -> None:
        """Attempts have ended: there is room for others where they counted."""
        keys = keys_of(stored_keys)
        for name in uses.split("\n"):
            self.limits.end(name, keys.get(name, ""), count)

    def let_out(self, lane: str | None, width: int | None) -> None:
        """Let the next jobs out of a lane, as many as it has room for."""
        if self.one("let_out", lane=lane, width=width, now=self.now) is None and (
            self.cursor.rowcount > 0
        ):
            self.topics.add(Topic.WORK)

    def add_events(self, seqs: Sequence[int], became: Collection[Became]) -> None:
        """Store what these jobs have become, after the events so far.

        `became` says it in all its forms. Where that is one, no row is read for it.
        """
        if not seqs:
            return
        self.write_events()
        if len(became) == 1:
            (alike,) = became
            self.cursor.execute(QUERIES["events_alike"], (*alike, to_text(seqs)))
        else:
            self.one("events_changed", seqs=to_text(seqs))
        self.topics.add(Topic.EVENTS)

    def write_events(self) -> None:
        """Store the events added so far."""
        if self.events:
            self.insert("event", self.events)
            self.events.clear()
            self.topics.add(Topic.EVENTS)

    def write_tally(self) -> None:
        """Store how many jobs came to which state and went away from it."""
        self.each("tally", [(*key, change) for key, change in self.tally.items() if change])


Handler = Callable[[Transaction, Sequence[Any]], list[Any]]
"""Does the calls of one method, in order; an exception in place of a result is that call's own."""

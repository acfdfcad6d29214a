"""Deleting jobs, and what is remembered of those that were kept for long enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...engine.tombstone import Tombstone
from . import idempotency
from .reader import Reader
from .transaction import Transaction


@dataclass(frozen=True, kw_only=True, slots=True)
class Purge:
    """One call of `purge`."""

    count: int
    tombstone_seconds: float


def purge(tx: Transaction, calls: Sequence[Purge]) -> list[int]:
    """Delete records past their retention, with all that belongs to them."""
    return [_purge(tx, call) for call in calls]


def delete(tx: Transaction, seqs: Sequence[int]) -> None:
    """Delete jobs with all that belongs to them."""
    for query in ("purge_event", "purge_message", "purge_job"):
        tx.each(query, [(seq,) for seq in seqs])


def gone(reader: Reader, ids: Sequence[str], now: float) -> list[Tombstone | None]:
    """The tombstone of each, where there is one."""
    found = (reader.all("tombstone", id=job_id, now=now) for job_id in ids)
    return [Tombstone(owner=rows[0][0]) if rows else None for rows in found]


def _purge(tx: Transaction, call: Purge) -> int:
    tx.one("limit_forget", now=tx.now, count=call.count)
    tx.one("unshare_lapsed", now=tx.now)
    tx.one("tombstone_forget", now=tx.now, count=call.count)
    found = tx.all("purgeable", now=tx.now, count=call.count)
    marks = []
    for _, job_id, operation, state, kind, expires, owner in found:
        tx.count(operation, state, kind, -1)
        if expires + call.tombstone_seconds > tx.now:
            marks.append((job_id, owner, expires + call.tombstone_seconds))
    tx.each("tombstone_leave", marks)
    delete(tx, [seq for seq, *_ in found])
    return len(found) + idempotency.purge(tx, call.count)

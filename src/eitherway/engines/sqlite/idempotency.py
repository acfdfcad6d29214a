"""Idempotency keys: bound to jobs, held by calls, ended with an answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ...engine.idempotency import KeyEnd, KeyHold, KeyRecord, KeyState, KeyUse, KeyWish
from ...engine.values import NewJob
from ...problem import Answer
from .holders import Holders
from .reader import Reader
from .transaction import Transaction


class KeyRow(NamedTuple):
    """A row of `idempotency`, as selected by the query `key`."""

    fingerprint: bytes
    job_id: str
    expires: float
    token: int
    is_job: int
    lease_until: float | None
    status: int | None
    media_type: str | None
    body: bytes | None

    def state(self, now: float) -> KeyState:
        """What the key stands for at `now`."""
        if self.is_job:
            return KeyState.JOB
        if self.status is not None:
            return KeyState.ANSWERED
        held = self.lease_until is not None and self.lease_until > now
        return KeyState.HELD if held else KeyState.FREE

    def is_over(self, now: float) -> bool:
        """Whether the key has expired; one that is held has not."""
        return self.expires <= now and self.state(now) is not KeyState.HELD


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """One call of `claim`: by whom, and which other holders are dead."""

    holder: str
    dead: Sequence[str] = ()
    wishes: Sequence[KeyWish]


async def claim_or_take_over(
    submit: Callable[[Claim], Awaitable[Sequence[KeyHold | KeyRecord]]],
    holders: Holders,
    wishes: Sequence[KeyWish],
) -> Sequence[KeyHold | KeyRecord]:
    """Claim; what is held is asked for once more if somebody is dead, who may hold it."""
    own = holders.own()
    found = list(await submit(Claim(holder=own, wishes=wishes)))
    held = [place for place, one in enumerate(found) if _is_held(one)]
    if held and (dead := holders.dead()):
        again = Claim(holder=own, dead=dead, wishes=[wishes[place] for place in held])
        for place, one in zip(held, await submit(again), strict=True):
            found[place] = one
    return found


def claim(tx: Transaction, calls: Sequence[Claim]) -> list[list[KeyHold | KeyRecord]]:
    """Hold the keys that are to be had; else say what they stand for."""
    results = []
    for call in calls:
        release_dead(tx, call.dead)
        results.append([_claim(tx, call.holder, wish) for wish in call.wishes])
    return results


def release_dead(tx: Transaction, holders: Sequence[str]) -> None:
    """The holds of engines whose process died lapse at once."""
    tx.each("lapse_keys", [(tx.now, holder) for holder in holders])


def bind(tx: Transaction, jobs: Sequence[NewJob]) -> list[bool]:
    """Let new jobs' keys stand for them; False where a key stands for something else."""
    return [job.key is None or _bind(tx, job, job.key) for job in jobs]


def holds(tx: Transaction, hold: KeyHold) -> bool:
    """Whether nobody has taken the key over since."""
    row = _row(tx, hold.key)
    return row is not None and _is_held_by(row, hold.job_id, hold.token)


def end(tx: Transaction, key_end: KeyEnd) -> None:
    """Store the answer of the holder's call; without one, let the key go."""
    hold, answer = key_end.hold, key_end.answer
    tx.one(
        "end_key",
        key=hold.key,
        expires=key_end.expires,
        status=answer and answer.status,
        media_type=answer and answer.media_type,
        body=answer and answer.body,
    )


def read(reader: Reader, keys: Sequence[str], now: float) -> list[KeyRecord | None]:
    """What the keys stand for, None for those that nobody used, or that have expired."""
    found = [reader.all("key", key=key) for key in keys]
    rows = [KeyRow._make(rows[0]) if rows else None for rows in found]
    return [None if row is None or row.is_over(now) else _record(row, now) for row in rows]


def purge(tx: Transaction, count: int) -> int:
    """Delete keys that have expired; how many."""
    tx.one("purge_keys", now=tx.now, count=count)
    return max(0, tx.cursor.rowcount)


def _bind(tx: Transaction, job: NewJob, use: KeyUse) -> bool:
    row = _row(tx, use.key)
    if use.token is not None:
        if row is None or not _is_held_by(row, job.id, use.token):
            return False
    elif row is not None and not row.is_over(tx.now):
        if row.state(tx.now) is not KeyState.FREE:
            return False
        if row.fingerprint == use.fingerprint and row.job_id != job.id:
            return False
    _write(tx, use, job.id, row, is_job=1)
    return True


def _claim(tx: Transaction, holder: str, wish: KeyWish) -> KeyHold | KeyRecord:
    use, job_id = wish.use, wish.job_id
    row = _row(tx, use.key)
    until = tx.now + wish.lease_seconds
    if row is not None and use.token is not None and _is_held_by(row, job_id, use.token):
        tx.one("extend_key", key=use.key, lease_until=until)
        return KeyHold(key=use.key, job_id=job_id, token=use.token)
    if row is not None and not row.is_over(tx.now):
        if use.token is not None or row.state(tx.now) is not KeyState.FREE:
            return _record(row, tx.now)
        if row.fingerprint == use.fingerprint:
            job_id = row.job_id
    token = _write(tx, use, job_id, row, lease_until=until, holder=holder)
    return KeyHold(key=use.key, job_id=job_id, token=token)


def _is_held(found: KeyHold | KeyRecord) -> bool:
    return isinstance(found, KeyRecord) and found.state is KeyState.HELD


def _row(tx: Transaction, key: str) -> KeyRow | None:
    found = tx.one("key", key=key)
    return None if found is None else KeyRow._make(found)


def _write(
    tx: Transaction,
    use: KeyUse,
    job_id: str,
    before: KeyRow | None,
    *,
    is_job: int = 0,
    lease_until: float | None = None,
    holder: str | None = None,
) -> int:
    """Use the key anew, under the next token."""
    token = 1 if before is None else before.token + 1
    stands_for = (use.fingerprint, job_id, use.expires, token, is_job, lease_until, holder)
    tx.each("use_key", [(use.key, *stands_for)])
    return token


def _is_held_by(row: KeyRow, job_id: str, token: int) -> bool:
    """Whether the key is this holder's still; a lapsed lease is, until somebody takes it over."""
    return row.lease_until is not None and (row.job_id, row.token) == (job_id, token)


def _record(row: KeyRow, now: float) -> KeyRecord:
    answer = None
    if row.status is not None:
        answer = Answer(row.status, row.media_type or "", row.body or b"")
    return KeyRecord(
        fingerprint=row.fingerprint, job_id=row.job_id, state=row.state(now), answer=answer
    )

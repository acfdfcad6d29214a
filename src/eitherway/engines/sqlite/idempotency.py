"""Idempotency keys: bound to jobs, held by calls, ended with an answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ...engine.idempotency import KeyEnd, KeyHold, KeyRecord, KeyState, KeyUse, KeyWish
from ...engine.key_rules import StoredKey, bound, held
from ...engine.stored import to_answer
from ...engine.values import NewJob
from .holders import Holders
from .reader import Reader
from .transaction import Transaction


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
    stored = _key(tx, hold.key)
    return stored is not None and stored.is_held_by(hold.job_id, hold.token)


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
    stored = [_stored(rows[0]) if rows else None for rows in found]
    return [None if key is None or key.is_over(now) else key.record(now) for key in stored]


def purge(tx: Transaction, count: int) -> int:
    """Delete keys that have expired; how many."""
    tx.one("purge_keys", now=tx.now, count=count)
    return max(0, tx.cursor.rowcount)


def _bind(tx: Transaction, job: NewJob, use: KeyUse) -> bool:
    after = bound(_key(tx, use.key), use, job.id, tx.now)
    if after is None:
        return False
    _write(tx, use.key, after)
    return True


def _claim(tx: Transaction, holder: str, wish: KeyWish) -> KeyHold | KeyRecord:
    key = wish.use.key
    before = _key(tx, key)
    after = held(before, wish, tx.now)
    if isinstance(after, KeyRecord):
        return after
    if before is not None and after.token == before.token:
        tx.one("extend_key", key=key, lease_until=after.lease_until)
    else:
        _write(tx, key, after, holder)
    return KeyHold(key=key, job_id=after.job_id, token=after.token)


def _is_held(found: KeyHold | KeyRecord) -> bool:
    return isinstance(found, KeyRecord) and found.state is KeyState.HELD


def _key(tx: Transaction, key: str) -> StoredKey | None:
    found = tx.one("key", key=key)
    return None if found is None else _stored(found)


def _write(tx: Transaction, key: str, used: StoredKey, holder: str | None = None) -> None:
    is_job = int(used.is_job)
    stands_for = (used.fingerprint, used.job_id, used.expires, used.token, is_job)
    tx.each("use_key", [(key, *stands_for, used.lease_until, holder)])


def _stored(row: tuple[Any, ...]) -> StoredKey:
    """A row of `idempotency`, as selected by the query `key`."""
    fingerprint, job_id, expires, token, is_job, lease_until, *answer = row
    return StoredKey(
        fingerprint=fingerprint,
        job_id=job_id,
        expires=expires,
        token=token,
        is_job=bool(is_job),
        lease_until=lease_until,
        answer=to_answer(*answer),
    )

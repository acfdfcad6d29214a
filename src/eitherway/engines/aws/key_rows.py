"""An idempotency key as it is stored, and what may become of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from ...engine.idempotency import KeyEnd, KeyRecord, KeyState, KeyUse, KeyWish
from ...problem import Answer
from .codec import BACKSTOP_SECONDS, Image, sweep
from .tables import EXPIRY


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyRow:
    """A key. Times are epoch seconds; what is None is not stored."""

    fingerprint: bytes
    job_id: str
    expires: float
    token: int  # of the last hold; grows with every use
    stamp: int  # moves with every write
    is_job: bool = False
    lease_until: float | None = None  # of a call's hold; None: nobody holds it
    answer: Answer | None = None

    def state(self, now: float) -> KeyState:
        """What the key stands for at `now`."""
        if self.is_job:
            return KeyState.JOB
        if self.answer is not None:
            return KeyState.ANSWERED
        is_held = self.lease_until is not None and self.lease_until > now
        return KeyState.HELD if is_held else KeyState.FREE

    def is_over(self, now: float) -> bool:
        """Whether the key has expired; one that is held has not."""
        return self.expires <= now and self.state(now) is not KeyState.HELD

    def is_held_by(self, job_id: str, token: int | None) -> bool:
        """Whether it is this holder's still; a lapsed lease is, until somebody takes it over."""
        return self.lease_until is not None and (self.job_id, self.token) == (job_id, token)

    def may_be_had(self, use: KeyUse, now: float) -> bool:
        """Whether a call may hold it from now on; who has lost its hold may not."""
        if self.is_over(now):
            return True
        return use.token is None and self.state(now) is KeyState.FREE

    def record(self, now: float) -> KeyRecord:
        """As the contract has it."""
        return KeyRecord(
            fingerprint=self.fingerprint,
            job_id=self.job_id,
            state=self.state(now),
            answer=self.answer,
        )


def bound(before: KeyRow | None, use: KeyUse, job_id: str, now: float) -> KeyRow | None:
    """The key that stands for a job from now on; None where it stands for something else."""
    if use.token is not None:
        if before is None or not before.is_held_by(job_id, use.token):
            return None
    elif before is not None and not before.is_over(now):
        if before.state(now) is not KeyState.FREE:
            return None
        if before.fingerprint == use.fingerprint and before.job_id != job_id:
            return None
    return replace(_used(before, use, job_id), is_job=True)


def held(before: KeyRow | None, wish: KeyWish, now: float) -> KeyRow:
    """The key as a call holds it; for the same request under the id of the call before."""
    use, job_id = wish.use, wish.job_id
    if before is not None and not before.is_over(now) and before.fingerprint == use.fingerprint:
        job_id = before.job_id
    return replace(_used(before, use, job_id), lease_until=now + wish.lease_seconds)


def extended(before: KeyRow, until: float) -> KeyRow:
    """The key held longer, by the same hold."""
    return replace(before, stamp=before.stamp + 1, lease_until=until)


def ended(before: KeyRow, end: KeyEnd) -> KeyRow:
    """The key that stands for an answer, or is free."""
    return replace(
        before,
        stamp=before.stamp + 1,
        lease_until=None,
        expires=end.expires,
        answer=end.answer,
    )


def _used(before: KeyRow | None, use: KeyUse, job_id: str) -> KeyRow:
    token, stamp = (0, 0) if before is None else (before.token, before.stamp)
    return KeyRow(
        fingerprint=use.fingerprint,
        job_id=job_id,
        expires=use.expires,
        token=token + 1,
        stamp=stamp + 1,
    )


def to_key(key: str) -> dict[str, Any]:
    """Where a key is: under a digest, as it may be longer than a name of DynamoDB's."""
    return {"id": {"S": f"key#{sha256(key.encode()).hexdigest()}"}}


def to_image(key: str, row: KeyRow) -> dict[str, Any]:
    """The item of a key."""
    over = max(row.expires, row.lease_until or 0.0)
    place = to_key(key)
    image: dict[str, Any] = {
        **place,
        "fingerprint": {"B": row.fingerprint},
        "job_id": {"S": row.job_id},
        "expires": {"N": repr(row.expires)},
        "token": {"N": str(row.token)},
        "stamp": {"N": str(row.stamp)},
        "sweep": {"S": sweep("purge", place["id"]["S"])},
        "look_at": {"N": repr(over)},
        EXPIRY: {"N": str(int(over + BACKSTOP_SECONDS))},
    }
    if row.is_job:
        image["is_job"] = {"BOOL": True}
    if row.lease_until is not None:
        image["lease_until"] = {"N": repr(row.lease_until)}
    if row.answer is not None:
        image["status"] = {"N": str(row.answer.status)}
        image["media_type"] = {"S": row.answer.media_type}
        image["body"] = {"B": row.answer.body}
    return image


def to_key_row(image: Image) -> KeyRow:
    """The key of an item."""
    answer = None
    if "status" in image:
        answer = Answer(
            int(image["status"]["N"]), image["media_type"]["S"], bytes(image["body"]["B"])
        )
    lease = image.get("lease_until")
    return KeyRow(
        fingerprint=bytes(image["fingerprint"]["B"]),
        job_id=image["job_id"]["S"],
        expires=float(image["expires"]["N"]),
        token=int(image["token"]["N"]),
        stamp=int(image["stamp"]["N"]),
        is_job="is_job" in image,
        lease_until=None if lease is None else float(lease["N"]),
        answer=answer,
    )

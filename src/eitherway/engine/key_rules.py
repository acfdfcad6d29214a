"""What an idempotency key stands for, and what may become of it: the same in every engine. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..problem import Answer
from .idempotency import KeyEnd, KeyRecord, KeyState, KeyUse, KeyWish


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredKey:
    """A key as it is stored. Times are epoch seconds."""

    fingerprint: bytes
    job_id: str
    expires: float
    token: int  # of the last hold; grows with every use
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

    def record(self, now: float) -> KeyRecord:
        """As the contract has it."""
        return KeyRecord(
            fingerprint=self.fingerprint,
            job_id=self.job_id,
            state=self.state(now),
            answer=self.answer,
        )


def bound(before: StoredKey | None, use: KeyUse, job_id: str, now: float) -> StoredKey | None:
    """The key that stands for a job from now on; None where it stands for something else."""
    if use.token is not None:
        if before is None or not before.is_held_by(job_id, use.token):
            return None
    elif before is not None and not before.is_over(now):
        if before.state(now) is not KeyState.FREE:
            return None
        if before.fingerprint == use.fingerprint and before.job_id != job_id:
            return None
    return _used(before, use, job_id, is_job=True)


def held(before: StoredKey | None, wish: KeyWish, now: float) -> StoredKey | KeyRecord:
    """The key as a call holds it, anew or longer; what it stands for where it is not to be had.

    For the same request it is held under the id of the call before.
    """
    use, job_id = wish.use, wish.job_id
    until = now + wish.lease_seconds
    if before is None:
        return _used(before, use, job_id, lease_until=until)
    if before.is_held_by(job_id, use.token):
        return replace(before, lease_until=until)
    if not before.is_over(now):
        if use.token is not None or before.state(now) is not KeyState.FREE:
            return before.record(now)
        if before.fingerprint == use.fingerprint:
            job_id = before.job_id
    return _used(before, use, job_id, lease_until=until)


def ended(before: StoredKey, end: KeyEnd) -> StoredKey:
    """The key that stands for an answer, or is free."""
    return replace(before, lease_until=None, expires=end.expires, answer=end.answer)


def _used(
    before: StoredKey | None,
    use: KeyUse,
    job_id: str,
    *,
    is_job: bool = False,
    lease_until: float | None = None,
) -> StoredKey:
    """The key, used anew under the next token."""
    return StoredKey(
        fingerprint=use.fingerprint,
        job_id=job_id,
        expires=use.expires,
        token=1 if before is None else before.token + 1,
        is_job=is_job,
        lease_until=lease_until,
    )

"""Sample idempotency keys, and short words for what the cases do with them."""

from __future__ import annotations

from dataclasses import replace

from ...problem import Answer
from ..contract import Engine
from ..idempotency import KeyEnd, KeyHold, KeyRecord, KeyUse, KeyWish
from ..values import NewJob, Settled, Settlement, Work
from .samples import LEASE_SECONDS, START, a_job, job_id

DAY_SECONDS = 86_400.0
USE = KeyUse(key="k", fingerprint=b"\x00asked", expires=START + DAY_SECONDS)
OTHER = replace(USE, fingerprint=b"something else")
ANSWER = Answer(201, "application/json", b'{"number": 1}')


def a_keyed_job(number: int = 1, use: KeyUse = USE) -> NewJob:
    """A sample job under a key."""
    return a_job(number, key=use)


def a_wish(number: int = 1, use: KeyUse = USE, token: int | None = None) -> KeyWish:
    """The wish of the call with this sample id."""
    own = replace(use, token=token)
    return KeyWish(use=own, job_id=job_id(number), lease_seconds=LEASE_SECONDS)


async def hold(engine: Engine, number: int = 1, use: KeyUse = USE) -> KeyHold:
    """Hold the key, which must be to be had."""
    (held,) = await engine.claim([a_wish(number, use)])
    assert isinstance(held, KeyHold), held
    return held


def a_settlement(
    held: KeyHold, answer: Answer | None, work: Work | None = None, *, expires: float = 2 * START
) -> Settlement:
    """The end of a call that holds a key."""
    key = KeyEnd(hold=held, expires=expires, answer=answer)
    return Settlement(work=work or Work(), key=key)


async def end(
    engine: Engine,
    held: KeyHold,
    answer: Answer | None,
    work: Work | None = None,
    *,
    expires: float = 2 * START,
) -> Settled:
    """End a call that holds a key."""
    (settled,) = await engine.settle([a_settlement(held, answer, work, expires=expires)])
    return settled


async def look(engine: Engine) -> KeyRecord | None:
    """What the sample key stands for."""
    (record,) = await engine.keys([USE.key])
    return record


async def found(engine: Engine) -> KeyRecord:
    """What the sample key stands for, which must be something."""
    record = await look(engine)
    assert record is not None
    return record

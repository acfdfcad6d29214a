"""Idempotency keys above the engine: a job accepted once, a call held to one run and one answer."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace

from ..clock import Clock
from ..ended import Ended
from ..engine.contract import Engine
from ..engine.idempotency import KeyEnd, KeyHold, KeyRecord, KeyState, KeyUse, KeyWish
from ..engine.values import NewJob, Settled, Settlement, SettleStatus
from ..errors import BacklogFullError, EitherwayError, EngineError
from ..job import Outcome
from ..operation import Operation
from ..problem import Answer, Problem
from .backlog import Backlog

IN_USE = "idempotency-key-in-use"
RETRY_AFTER_SECONDS = 1.0
_EXTENSIONS_PER_LEASE = 3


def in_use() -> Problem:
    """The refusal while a call holds the key."""
    detail = "a request with this key is being answered; send it again for the same answer"
    return Problem.of(IN_USE, detail, retry_after_seconds=RETRY_AFTER_SECONDS)


async def accept_once(
    engine: Engine, backlog: Backlog, operation: Operation, job: NewJob
) -> NewJob | KeyRecord:
    """Store the job and give it back; or what its key stands for already, and nothing is stored.

    `BacklogFullError`, but not for a repeat. After a call that came to no answer, the job has that
    call's id. A key with a token goes over from the call that holds it.
    """
    if job.key is None:
        await backlog.accept(operation, job)
        return job
    while True:
        try:
            if await backlog.accept(operation, job):
                return job
        except BacklogFullError:
            found = await _used(engine, job.key)
            if found is None or found.state is KeyState.FREE or job.key.token is not None:
                raise
            return found
        found = await _used(engine, job.key)
        if found is not None and found.state is not KeyState.FREE:
            return found
        lost = replace(job.key, token=None)
        job = replace(job, key=lost, id=job.id if found is None else found.job_id)


async def _used(engine: Engine, use: KeyUse) -> KeyRecord | None:
    (found,) = await engine.keys([use.key])
    return found


class HeldKey:
    """The hold on a key while its call runs; extended until the call ends it, or lets it go.

    An async context manager around the call, and around the accept of a job that takes over from
    a call that had no room.
    """

    def __init__(
        self, engine: Engine, clock: Clock, use: KeyUse, hold: KeyHold, lease_seconds: float
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._use = use
        self._hold = hold
        self._lease_seconds = lease_seconds
        self._kept_seconds = use.expires - clock.now()
        self._extending: asyncio.Task[None] | None = None
        self._over = False
        self.stays = False  # held past the end of the context, for the next one
        self.lost = False  # somebody else holds the key by now: nothing was written

    @classmethod
    async def claim(
        cls, engine: Engine, clock: Clock, use: KeyUse, job_id: str, lease_seconds: float
    ) -> HeldKey | KeyRecord:
        """Hold the key for a call of this id; or what the key stands for already."""
        wish = KeyWish(use=use, job_id=job_id, lease_seconds=lease_seconds)
        (found,) = await engine.claim([wish])
        if isinstance(found, KeyRecord):
            return found
        return cls(engine, clock, use, found, lease_seconds)

    @property
    def job_id(self) -> str:
        """The id that the call runs under."""
        return self._hold.job_id

    async def __aenter__(self) -> HeldKey:
        self.stays = False
        self._extending = asyncio.create_task(self._extend())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._extending is not None:
            self._extending.cancel()
        # Any other exception is the process's own death, which lets go of nothing.
        lives = kind is None or issubclass(kind, EitherwayError | asyncio.CancelledError)
        if lives and not self.stays:
            await self.let_go()

    def for_job(self) -> KeyUse:
        """What lets the key go over to the call's job, in the write that stores that."""
        expires = self._clock.now() + self._kept_seconds
        return replace(self._use, token=self._hold.token, expires=expires)

    def went_over(self) -> None:
        """The key stands for the call's job by now: it is not the call's to end."""
        self._over = True

    def end(self, ended: Ended) -> KeyEnd:
        """What the call's commit says of its key: an answer is kept, a failure leaves it free."""
        expires = self._clock.now() + self._kept_seconds
        return KeyEnd(hold=self._hold, expires=expires, answer=_answer(ended))

    def note(self, settled: Settled) -> None:
        """What became of the commit that ends the call."""
        self.lost = settled.status is SettleStatus.LEASE_LOST
        self._over = self.lost or settled.status is SettleStatus.DONE

    async def let_go(self) -> None:
        """Leave the key free, if the call has not ended it."""
        if not self._over:
            with suppress(EngineError):  # then its lease lapses
                key = KeyEnd(hold=self._hold, expires=self._clock.now() + self._kept_seconds)
                await self._engine.settle([Settlement(key=key)])

    async def _extend(self) -> None:
        use = replace(self._use, token=self._hold.token)
        wish = KeyWish(use=use, job_id=self._hold.job_id, lease_seconds=self._lease_seconds)
        while True:
            await self._clock.sleep(self._lease_seconds / _EXTENSIONS_PER_LEASE)
            try:
                (found,) = await self._engine.claim([wish])
            except EngineError:
                continue  # its lease may last until the next time
            if isinstance(found, KeyRecord):
                return


def _answer(ended: Ended) -> Answer | None:
    """What a repeat is answered with; None where it runs again."""
    if ended.outcome is Outcome.SUCCEEDED:
        return ended.answer
    if ended.outcome is Outcome.REJECTED and ended.problem is not None:
        return Answer.of_problem(ended.problem.document())
    return None

"""Idempotency keys that jobs are accepted under, and what engines on one store promise of keys."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from ...job import JobState
from ..contract import Engine
from ..idempotency import KeyHold, KeyRecord, KeyState
from ..values import SettleStatus
from ..virtual_clock import VirtualClock
from .harness import EngineHarness
from .key_samples import (
    ANSWER,
    DAY_SECONDS,
    OTHER,
    USE,
    a_keyed_job,
    a_wish,
    end,
    found,
    hold,
    look,
)
from .samples import START, a_job, an_end, job_id, settle, take


class KeyedAcceptCases(EngineHarness):
    """What `accept` and `keys` promise of a job with a key."""

    async def test_a_held_key_goes_over_to_the_job_of_its_call(self, engine: Engine) -> None:
        """By its token, once; the call cannot end it any more."""
        held = await hold(engine)
        own = a_keyed_job(1, replace(USE, token=held.token))
        assert list(await engine.accept([a_keyed_job()])) == [False]
        assert list(await engine.accept([own])) == [True]
        assert (await found(engine)).state is KeyState.JOB
        assert (await end(engine, held, ANSWER)).status is SettleStatus.LEASE_LOST
        assert (await found(engine)).state is KeyState.JOB

    async def test_a_key_that_is_not_held_goes_over_to_nothing(self, engine: Engine) -> None:
        """Let go, or held by somebody else since."""
        held = await hold(engine)
        own = a_keyed_job(1, replace(USE, token=held.token))
        await end(engine, held, None)
        assert list(await engine.accept([own])) == [False]
        later = await hold(engine)
        assert later.job_id == held.job_id
        assert list(await engine.accept([own])) == [False]
        assert (await found(engine)).state is KeyState.HELD
        assert not await take(engine)

    async def test_a_key_stands_for_its_job(self, engine: Engine) -> None:
        """From the accept on, and whatever becomes of the job."""
        assert await look(engine) is None
        assert list(await engine.accept([a_keyed_job()])) == [True]
        bound = KeyRecord(fingerprint=USE.fingerprint, job_id=job_id(1), state=KeyState.JOB)
        assert await look(engine) == bound
        (held,) = await take(engine)
        await settle(engine, an_end(held, JobState.SUCCEEDED, START))
        assert await look(engine) == bound

    async def test_a_used_key_makes_no_second_job(self, engine: Engine) -> None:
        """Whatever the second one asks for; nothing of it is stored."""
        await engine.accept([a_keyed_job(1)])
        for use in (USE, OTHER):
            assert list(await engine.accept([a_keyed_job(2, use)])) == [False]
        assert list(await engine.get([job_id(2)])) == [None]
        assert len(await take(engine)) == 1

    async def test_of_jobs_under_one_key_the_first_is_new(self, engine: Engine) -> None:
        """Within one call, beside jobs of other keys and of none, each answer in its place."""
        another = replace(USE, key="another")
        jobs = [a_keyed_job(1), a_job(2), a_keyed_job(3), a_keyed_job(4, another), a_job(1)]
        assert list(await engine.accept(jobs)) == [True, True, False, True, False]
        assert len(await take(engine)) == 3

    async def test_of_accepts_at_once_under_one_key_one_is_new(self, engine: Engine) -> None:
        """However many come at the same time."""
        jobs = [a_keyed_job(number) for number in range(1, 51)]
        answers = await asyncio.gather(*(engine.accept([job]) for job in jobs))
        assert sorted(new for (new,) in answers) == [False] * 49 + [True]
        assert len(await take(engine, 50)) == 1

    async def test_an_accept_repeated_is_no_other(self, engine: Engine) -> None:
        """The same job with the same key again is accepted already, and its key stays its own."""
        await engine.accept([a_keyed_job()])
        assert list(await engine.accept([a_keyed_job()])) == [False]
        assert (await found(engine)).job_id == job_id(1)

    async def test_a_key_of_a_job_that_expired_is_new(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """Up to the moment it is in use; from then on it is not known."""
        await engine.accept([a_keyed_job(1)])
        await clock.advance(DAY_SECONDS - 1)
        assert list(await engine.accept([a_keyed_job(2)])) == [False]
        await clock.advance(1)
        assert await look(engine) is None
        assert list(await engine.accept([a_keyed_job(2)])) == [True]

    async def test_keys_come_in_the_order_of_their_names(self, engine: Engine) -> None:
        """Each in its place, None for one never used."""
        await engine.accept([a_keyed_job(1), a_keyed_job(2, replace(USE, key="b"))])
        records = await engine.keys(["b", "never", "k", "b"])
        ids = [record and record.job_id for record in records]
        assert ids == [job_id(2), None, job_id(1), job_id(2)]
        assert not await engine.keys([])


class SharedKeyCases(EngineHarness):
    """What engines on one store promise one another."""

    async def test_a_key_is_one_for_all_engines(self, engine: Engine, other: Engine) -> None:
        """Held, answered and bound alike."""
        held = await hold(engine)
        (record,) = await other.claim([a_wish(2)])
        assert isinstance(record, KeyRecord)
        await end(engine, held, ANSWER)
        assert (await found(other)).answer == ANSWER
        job = replace(USE, key="job")
        news = [await one.accept([a_keyed_job(n, job)]) for n, one in ((1, other), (2, engine))]
        assert [new for (new,) in news] == [True, False]

    async def test_of_fifty_claims_over_two_engines_one_holds(
        self, engine: Engine, other: Engine
    ) -> None:
        """And of fifty accepts one is new."""
        job = replace(USE, key="job")
        numbers = range(1, 26)
        claims = await asyncio.gather(
            *(one.claim([a_wish(number)]) for number in numbers for one in (engine, other))
        )
        accepts = await asyncio.gather(
            *(
                one.accept([a_keyed_job(number + 25 * place, job)])
                for number in numbers
                for place, one in enumerate((engine, other))
            )
        )
        assert sum(isinstance(claim, KeyHold) for (claim,) in claims) == 1
        assert sum(new for (new,) in accepts) == 1

    async def test_keys_outlive_their_engine(self, engine: Engine, other: Engine) -> None:
        """What was answered is answered after a restart."""
        await end(engine, await hold(engine), ANSWER)
        await engine.close()
        assert (await found(other)).answer == ANSWER

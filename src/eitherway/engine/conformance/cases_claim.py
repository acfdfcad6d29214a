"""Idempotency keys that calls hold: claimed before they run, ended with their commit."""

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
    OTHER,
    USE,
    a_keyed_job,
    a_settlement,
    a_wish,
    end,
    found,
    hold,
    look,
)
from .samples import (
    COUNTER,
    LEASE_SECONDS,
    START,
    an_end,
    get_one,
    job_id,
    put,
    read_one,
    settle,
    take_new,
)

DONE, LOST, CONFLICT = SettleStatus.DONE, SettleStatus.LEASE_LOST, SettleStatus.CONFLICT


class ClaimCases(EngineHarness):
    """What `claim` promises, and `settle` of a call that holds a key."""

    async def test_a_new_key_is_held(self, engine: Engine) -> None:
        """For the call that asked first; the others are told for which."""
        held = await hold(engine)
        assert (held.key, held.job_id) == (USE.key, job_id(1))
        for record in (await engine.claim([a_wish(2)]))[0], await found(engine):
            assert isinstance(record, KeyRecord)
            assert (record.state, record.job_id) == (KeyState.HELD, job_id(1))
            assert record.fingerprint == USE.fingerprint
        assert not await engine.claim([])

    async def test_of_claims_at_once_one_holds(self, engine: Engine) -> None:
        """In one call or in many."""
        calls = [engine.claim([a_wish(n), a_wish(n + 50)]) for n in range(1, 51)]
        answers = [one for answer in await asyncio.gather(*calls) for one in answer]
        assert sum(isinstance(one, KeyHold) for one in answers) == 1

    async def test_a_held_key_makes_no_job(self, engine: Engine) -> None:
        """Nor does one that is answered."""
        held = await hold(engine)
        assert list(await engine.accept([a_keyed_job(2)])) == [False]
        await end(engine, held, ANSWER)
        assert list(await engine.accept([a_keyed_job(2)])) == [False]

    async def test_a_key_of_a_job_is_not_held(self, engine: Engine) -> None:
        """It stands for the job."""
        await engine.accept([a_keyed_job(2)])
        (record,) = await engine.claim([a_wish(1)])
        assert isinstance(record, KeyRecord)
        assert (record.state, record.job_id) == (KeyState.JOB, job_id(2))

    async def test_answer_and_writes_are_one_commit(self, engine: Engine) -> None:
        """From then on the key stands for the answer, byte for byte."""
        held = await hold(engine)
        assert (await end(engine, held, ANSWER, put(COUNTER, b"1"))).status is DONE
        answered = KeyRecord(
            fingerprint=USE.fingerprint, job_id=job_id(1), state=KeyState.ANSWERED, answer=ANSWER
        )
        assert await look(engine) == answered
        assert list(await engine.claim([a_wish(2)])) == [answered]
        assert (await read_one(engine)).value == b"1"

    async def test_a_conflict_keeps_the_hold(self, engine: Engine) -> None:
        """Nothing is written, and the same hold may end otherwise."""
        held = await hold(engine)
        stale = put(COUNTER, b"1", over=7)
        assert (await end(engine, held, ANSWER, stale)).status is CONFLICT
        assert (await found(engine)).state is KeyState.HELD
        assert (await end(engine, held, ANSWER, put(COUNTER, b"2"))).status is DONE

    async def test_a_key_without_an_answer_is_free(self, engine: Engine) -> None:
        """The same request gets it with the first call's id, another one with its own."""
        held = await hold(engine)
        assert (await end(engine, held, None)).status is DONE
        assert (await found(engine)).state is KeyState.FREE
        second = await hold(engine, 2)
        assert second.job_id == job_id(1)
        await end(engine, second, None)
        third = await hold(engine, 3, OTHER)
        assert third.job_id == job_id(3)
        assert (await found(engine)).fingerprint == OTHER.fingerprint

    async def test_a_free_key_makes_a_job_of_the_same_id(self, engine: Engine) -> None:
        """For the same request the job has to be that of the call; another may have its own."""
        await end(engine, await hold(engine), None)
        assert list(await engine.accept([a_keyed_job(2)])) == [False]
        assert (await found(engine)).state is KeyState.FREE
        assert list(await engine.accept([a_keyed_job(1)])) == [True]
        another = replace(USE, key="another")
        await end(engine, await hold(engine, 3, another), None)
        other = replace(another, fingerprint=b"something else")
        assert list(await engine.accept([a_keyed_job(4, other)])) == [True]

    async def test_a_hold_lapses(self, engine: Engine, clock: VirtualClock) -> None:
        """After its time the same request goes on under the same id; not before."""
        await hold(engine)
        await clock.advance(LEASE_SECONDS - 1)
        assert isinstance((await engine.claim([a_wish(2)]))[0], KeyRecord)
        await clock.advance(1)
        assert (await found(engine)).state is KeyState.FREE
        assert (await hold(engine, 2)).job_id == job_id(1)

    async def test_a_hold_is_extended_by_its_token(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """From the moment it is asked for; and that is the same hold."""
        held = await hold(engine)
        await clock.advance(LEASE_SECONDS - 1)
        assert list(await engine.claim([a_wish(1, token=held.token)])) == [held]
        await clock.advance(LEASE_SECONDS - 1)
        assert (await found(engine)).state is KeyState.HELD

    async def test_a_lost_hold_is_not_extended(self, engine: Engine, clock: VirtualClock) -> None:
        """Neither after somebody took it over, nor after it ended."""
        held = await hold(engine)
        await clock.advance(LEASE_SECONDS)
        second = await hold(engine, 2)
        (record,) = await engine.claim([a_wish(1, token=held.token)])
        assert isinstance(record, KeyRecord)
        assert record.state is KeyState.HELD
        await end(engine, second, None)
        (record,) = await engine.claim([a_wish(1, token=second.token)])
        assert isinstance(record, KeyRecord)
        assert record.state is KeyState.FREE

    async def test_who_lost_the_hold_commits_nothing(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """The later holder's answer and writes are the ones that are kept."""
        held = await hold(engine)
        await clock.advance(LEASE_SECONDS)
        second = await hold(engine, 2)

        late = await end(engine, held, ANSWER, put(COUNTER, b"late"))

        assert (late.status, list(late.lost)) == (LOST, [job_id(1)])
        assert (await read_one(engine)).version == 0
        assert (await found(engine)).state is KeyState.HELD
        assert (await end(engine, second, ANSWER, put(COUNTER, b"second"))).status is DONE
        assert (await end(engine, held, None)).status is LOST
        assert (await found(engine)).answer == ANSWER

    async def test_a_lapsed_hold_commits_until_it_is_taken_over(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """Fenced by the token, not by the time."""
        held = await hold(engine)
        await clock.advance(LEASE_SECONDS + 1)
        assert (await end(engine, held, ANSWER)).status is DONE
        assert (await found(engine)).answer == ANSWER

    async def test_of_two_ends_of_a_hold_at_once_one_is_written(self, engine: Engine) -> None:
        """Within one call, too."""
        held = await hold(engine)
        ends = [a_settlement(held, ANSWER, put(COUNTER, value)) for value in (b"1", b"2")]
        statuses = {one.status for one in await engine.settle(ends)}
        assert statuses == {DONE, LOST}
        assert (await read_one(engine)).version == 1

    async def test_a_key_ends_beside_a_job(self, engine: Engine) -> None:
        """A lost hold leaves the record as it was, a lost lease the key."""
        job = await take_new(engine, 5)
        finish = an_end(job, JobState.SUCCEEDED, START)
        held = await hold(engine)
        await end(engine, held, None)
        one = replace(a_settlement(held, ANSWER), finish=finish)
        assert [each.status for each in await engine.settle([one])] == [LOST]
        assert (await get_one(engine, 5)).state is JobState.RUNNING
        await settle(engine, finish)
        second = await hold(engine, 2)
        two = replace(a_settlement(second, ANSWER), finish=finish)
        assert [each.status for each in await engine.settle([two])] == [LOST]
        assert (await found(engine)).state is KeyState.HELD

    async def test_an_answer_expires(self, engine: Engine, clock: VirtualClock) -> None:
        """At the time that its end gave it; then the key is new, with a new id."""
        held = await hold(engine)
        await end(engine, held, ANSWER, expires=START + 100)
        await clock.advance(99)
        assert (await found(engine)).answer == ANSWER
        await clock.advance(1)
        assert await look(engine) is None
        second = await hold(engine, 2)
        assert second.job_id == job_id(2)
        assert (await end(engine, held, ANSWER)).status is LOST
        assert (await found(engine)).answer is None

    async def test_a_key_does_not_expire_while_it_is_held(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """Nor is it purged: its call is not over."""
        held = await hold(engine, 1, replace(USE, expires=START + 1))
        await clock.advance(2)
        await engine.purge(10)
        assert (await found(engine)).state is KeyState.HELD
        assert (await end(engine, held, ANSWER)).status is DONE

    async def test_expired_keys_are_purged_with_the_count(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """Or are unknown all the same, where a store lets them go by itself."""
        for number in range(1, 4):
            use = replace(USE, key=f"k{number}", expires=START + 10)
            await engine.accept([a_keyed_job(number, use)])
        assert await engine.purge(10) == 0
        await clock.advance(10)
        assert sum([await engine.purge(2) for _ in range(3)]) in {0, 3}
        assert list(await engine.keys(["k1", "k2", "k3"])) == [None] * 3

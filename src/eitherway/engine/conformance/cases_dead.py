"""Dead letters: what they keep, sent again, deleted."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from ...job import FailureKind, JobState, check_transition
from ..contract import Engine
from ..values import Message, SettleStatus
from ..virtual_clock import VirtualClock
from .cases_events import everything
from .harness import EngineHarness, soon, while_waiting
from .samples import (
    LEASE_SECONDS,
    START,
    a_death,
    a_job,
    a_redrive,
    an_end,
    die,
    get_one,
    ids,
    job_id,
    numbered,
    ready,
    settle,
    take,
    take_new,
    take_one,
)

NEVER = 9
"""The number of a sample job that nobody accepts."""


async def one_of_each_but_dead(engine: Engine) -> list[str]:
    """Jobs in every state, none of them a dead letter, and an id never seen."""
    for number, state in enumerate([JobState.SUCCEEDED, JobState.CANCELED], 1):
        await settle(engine, an_end(await take_new(engine, number), state, START))
    rejected = an_end(await take_new(engine, 3), JobState.FAILED, START, kind=FailureKind.REJECTED)
    await settle(engine, rejected)
    later = START + 600
    await settle(engine, an_end(await take_new(engine, 4), JobState.RETRYING, START, due=later))
    await take_new(engine, 5)
    await engine.accept([a_job(6), a_job(7, due=later)])
    return numbered(1, 2, 3, 4, 5, 6, 7, NEVER)


class RedriveCases(EngineHarness):
    """What `redrive` promises."""

    async def test_a_dead_letter_keeps_its_cause(self, engine: Engine) -> None:
        """The record says what it died of, in words to group by, and is kept."""
        await die(engine, cause="KeyError: '#', ä")
        record = await get_one(engine)
        assert (record.cause, record.expires) == ("KeyError: '#', ä", None)

    async def test_a_redriven_job_waits_with_a_fresh_budget(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """It is queued, its failure is forgotten, its attempts and their numbers are not."""
        await die(engine)
        dead = await get_one(engine)
        await clock.advance(60)
        now = clock.now()

        assert list(await engine.redrive([a_redrive(at=now, deadline=now + 99)])) == [True]

        record = await get_one(engine)
        assert (record.state, record.updated, record.due) == (JobState.QUEUED, now, now)
        assert record.revision > dead.revision
        assert (record.deadline, record.attempts_max) == (now + 99, dead.attempt + 3)
        assert (record.finished, record.expires, record.answer) == (None, None, None)
        assert (record.error, record.kind, record.cause) == (None, None, None)
        assert (record.attempt, record.starts) == (dead.attempt, dead.starts) == (1, 1)
        assert record.attempts == dead.attempts
        assert (record.created, record.started) == (dead.created, dead.started)

    async def test_numbering_goes_on(self, engine: Engine) -> None:
        """The next attempt is the next one, with the message that was, and the last allowed."""
        await engine.accept([a_job(attempts_max=1)])
        await settle(engine, a_death(await take_one(engine)))
        await engine.redrive([a_redrive(attempts=1)])
        held = await take_one(engine)
        assert (held.job.attempt, held.job.starts, held.job.attempts_max) == (2, 2, 2)
        assert [attempt.number for attempt in held.job.attempts] == [1, 2]
        assert held.message == a_job().message
        await settle(engine, an_end(held, JobState.RETRYING, START))
        assert not await take(engine)

    async def test_an_edited_message_takes_the_place_of_the_old(self, engine: Engine) -> None:
        """What was edited is stored, read and delivered; the others' messages stay."""
        await die(engine, 1)
        await die(engine, 2)
        edited = Message(payload=b'"right"', params=b'{"a":1}', headers=b'{"b":2}')
        await engine.redrive([a_redrive(1, message=edited), a_redrive(2)])
        wanted = [edited, a_job(2).message]
        assert list(await engine.messages(numbered(1, 2))) == wanted
        held = {each.job.id: each.message for each in await take(engine)}
        assert [held[id_] for id_ in numbered(1, 2)] == wanted

    async def test_a_redrive_wakes(self, engine: Engine, clock: VirtualClock) -> None:
        """Whoever waits for the operation learns of it without time passing."""
        await die(engine)
        waiting = await while_waiting(clock, ready(engine, ["place_order"], 3600))
        await engine.redrive([a_redrive()])
        assert list(await soon(waiting)) == ["place_order"]

    async def test_redriven_for_later_waits(self, engine: Engine, clock: VirtualClock) -> None:
        """A letter sent at a rate is queued, and is received when it is its turn."""
        await die(engine)
        await engine.redrive([a_redrive(due=START + 30)])
        assert (await get_one(engine)).state is JobState.QUEUED
        waiting = await while_waiting(clock, ready(engine, ["place_order"], 3600))
        await clock.advance(29.5)
        assert not await take(engine)
        assert not waiting.done()
        await clock.advance(0.5)
        assert list(await soon(waiting)) == ["place_order"]
        assert ids(await take(engine)) == numbered(1)

    async def test_the_new_deadline_counts(self, engine: Engine, clock: VirtualClock) -> None:
        """The old deadline may be long past; the new one ends the job in its turn."""
        await die(engine, 1)
        await die(engine, 2)
        await clock.advance(7200)
        now = clock.now()
        await engine.redrive([a_redrive(1, now), a_redrive(2, now, deadline=now + 5)])
        await clock.advance(6)
        assert ids(await take(engine)) == numbered(1)
        assert ids(await engine.overdue(10, LEASE_SECONDS)) == numbered(2)

    async def test_a_redriven_life_is_legal(self, engine: Engine) -> None:
        """Each revision is an event, from the death to the end that was wanted."""
        cursor = (await engine.events(None, 0)).cursor
        await die(engine)
        await engine.redrive([a_redrive()])
        await settle(engine, an_end(await take_one(engine), JobState.SUCCEEDED, START))
        told = await everything(engine, cursor)
        queued, running, succeeded = JobState.QUEUED, JobState.RUNNING, JobState.SUCCEEDED
        states = [queued, running, JobState.FAILED, queued, running, succeeded]
        assert [each.state for each in told] == states
        first = told[0].sequence
        assert [each.sequence for each in told] == list(range(first, first + len(told)))
        for earlier, later in pairwise(told):
            check_transition(earlier.state, later.state)

    async def test_only_dead_letters_are_redriven(self, engine: Engine) -> None:
        """Whatever else a job is, a redrive is answered False and changes nothing."""
        others = await one_of_each_but_dead(engine)
        before = await engine.get(others)
        cursor = (await engine.events(None, 0)).cursor
        message = Message(payload=b'"edited"')
        wishes = [a_redrive(job_id=id_, message=message) for id_ in others]
        assert list(await engine.redrive(wishes)) == [False] * len(others)
        assert list(await engine.get(others)) == list(before)
        assert message not in await engine.messages(others)
        assert not await everything(engine, cursor)

    async def test_of_two_redrives_one_is(self, engine: Engine) -> None:
        """Twice in a batch, twice at once, twice in a row: one of them sends it."""
        for number in (1, 2, 3):
            await die(engine, number)
        assert list(await engine.redrive([a_redrive(1), a_redrive(1)])) == [True, False]
        racing = [engine.redrive([a_redrive(2, attempts=n)]) for n in range(1, 9)]
        answers = [answer for (answer,) in await asyncio.gather(*racing)]
        assert sorted(answers) == [False] * 7 + [True]
        assert (await get_one(engine, 2)).attempts_max == 1 + answers.index(True) + 1
        assert list(await engine.redrive([a_redrive(3)])) == [True]
        assert list(await engine.redrive([a_redrive(3)])) == [False]
        assert sorted(ids(await take(engine))) == numbered(1, 2, 3)

    async def test_answers_come_in_the_order_of_the_redrives(self, engine: Engine) -> None:
        """Each answer of a batch is about the letter in its place."""
        await die(engine, 2)
        await die(engine, 5)
        answers = await engine.redrive([a_redrive(number) for number in range(1, 6)])
        assert list(answers) == [False, True, False, False, True]

    async def test_who_let_it_die_is_fenced_out(self, engine: Engine) -> None:
        """The lease that ended does not hold again when the job is back."""
        late = await die(engine)
        await engine.redrive([a_redrive()])
        lost = await settle(engine, an_end(late, JobState.SUCCEEDED, START))
        assert lost.status is SettleStatus.LEASE_LOST
        assert (await get_one(engine)).state is JobState.QUEUED

    async def test_a_letter_dies_and_comes_back_again(self, engine: Engine) -> None:
        """A second death is one like the first, and so is a second redrive."""
        await die(engine)
        await engine.redrive([a_redrive()])
        await settle(engine, a_death(await take_one(engine), cause="another"))
        assert (await get_one(engine)).cause == "another"
        assert list(await engine.redrive([a_redrive()])) == [True]
        assert (await get_one(engine)).attempts_max == 2 + 3
        assert (await take_one(engine)).job.attempt == 3


class DiscardCases(EngineHarness):
    """What `discard` promises."""

    async def test_what_is_discarded_is_gone(self, engine: Engine) -> None:
        """Record and message are deleted, those of the others stay."""
        for number in (1, 2, 3):
            await die(engine, number)
        assert list(await engine.discard([job_id(3), job_id(1)])) == [True, True]
        kept = await get_one(engine, 2)
        assert list(await engine.get(numbered(1, 2, 3))) == [None, kept, None]
        assert list(await engine.messages(numbered(1, 2, 3))) == [None, a_job(2).message, None]
        assert list(await engine.redrive([a_redrive(1), a_redrive(2)])) == [False, True]

    async def test_only_dead_letters_are_discarded(self, engine: Engine) -> None:
        """Whatever else a job is, it is answered False and stays."""
        others = await one_of_each_but_dead(engine)
        before = await engine.get(others)
        assert list(await engine.discard(others)) == [False] * len(others)
        assert list(await engine.get(others)) == list(before)

    async def test_twice_discarded_is_once(self, engine: Engine) -> None:
        """Twice in a batch or in a row: one of them deletes it."""
        await die(engine)
        assert list(await engine.discard([job_id(1), job_id(1)])) == [True, False]
        assert list(await engine.discard([job_id(1)])) == [False]

    @pytest.mark.parametrize("first", ["redrive", "discard"])
    async def test_redriven_or_discarded(self, engine: Engine, first: str) -> None:
        """A letter goes one way: sent again it is kept, deleted it is not sent."""
        await die(engine)
        calls = {
            "redrive": lambda: engine.redrive([a_redrive()]),
            "discard": lambda: engine.discard([job_id(1)]),
        }
        second = "discard" if first == "redrive" else "redrive"
        answers = await asyncio.gather(calls[first](), calls[second]())
        assert sum(answer for (answer,) in answers) == 1
        (redriven,) = answers[0 if first == "redrive" else 1]
        assert ids(await take(engine)) == (numbered(1) if redriven else [])

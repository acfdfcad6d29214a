"""Committing attempts: where jobs go, who may send them there, and what their records say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ...job import ATTEMPTS_KEPT, Attempt, FailureKind, JobState, Outcome
from ...problem import Answer
from ..contract import Engine
from ..values import Settlement, SettleStatus, Work
from ..virtual_clock import VirtualClock
from .harness import EngineHarness
from .samples import (
    COUNTER,
    LEASE_SECONDS,
    START,
    a_job,
    an_end,
    get_one,
    ids,
    numbered,
    put,
    settle,
    take,
    take_new,
    take_one,
)

DONE, LOST = SettleStatus.DONE, SettleStatus.LEASE_LOST
CONFLICT = SettleStatus.CONFLICT


class SettleCases(EngineHarness):
    """Where `settle` sends jobs, and what their records say then."""

    @pytest.mark.parametrize(
        "state", [JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELED, JobState.RETRYING]
    )
    async def test_a_record_says_what_its_end_says(
        self, engine: Engine, clock: VirtualClock, state: JobState
    ) -> None:
        """State, times, counts and attempts are those of the settlement."""
        held = await take_new(engine)
        await clock.advance(2)
        finish = an_end(held, state, START + 2)

        assert (await settle(engine, finish)).status is DONE

        record = await get_one(engine)
        assert record.state is state
        assert record.revision > held.job.revision
        assert (record.created, record.started, record.updated) == (START, START, START + 2)
        assert record.finished == (START + 2 if state.done else None)
        assert (record.expires, record.due) == (finish.expires, finish.due)
        assert (record.attempt, record.starts) == (1, 1)
        assert list(record.attempts) == list(finish.attempts)

    async def test_what_an_end_enqueues_is_stored_with_it(self, engine: Engine) -> None:
        """Of each of the jobs that end in a write, beside its work; nothing where one is lost."""
        await engine.accept([a_job(1), a_job(2)])
        first, second = await take(engine)
        ends = [
            an_end(held, JobState.SUCCEEDED, START, jobs=[a_job(10 + number)])
            for number, held in enumerate((first, second), 1)
        ]
        both = Settlement(finish=ends[0], others=[ends[1]], work=Work(jobs=[a_job(20)]))
        gone = replace(first.lease, token=first.lease.token + 1)
        lost = replace(both, finish=replace(ends[0], lease=gone))
        assert [each.status for each in await engine.settle([lost])] == [LOST]
        assert not await take(engine)
        assert [each.status for each in await engine.settle([both])] == [DONE]
        assert sorted(ids(await take(engine))) == numbered(11, 12, 20)

    async def test_an_answer_is_kept_as_bytes(self, engine: Engine) -> None:
        """A result is what was answered, byte for byte."""
        held = await take_new(engine)
        answer = Answer(201, "application/octet-stream", bytes(range(256)))
        await settle(engine, an_end(held, JobState.SUCCEEDED, START, answer=answer))
        record = await get_one(engine)
        assert (record.answer, record.error, record.kind) == (answer, None, None)

    @pytest.mark.parametrize("kind", list(FailureKind))
    async def test_a_failure_keeps_its_cause(self, engine: Engine, kind: FailureKind) -> None:
        """A failed record says why, in a problem document and in one word."""
        held = await take_new(engine)
        error = {"type": "/problems/internal-error", "status": 500, "detail": "zerstört", "n": [1]}
        await settle(engine, an_end(held, JobState.FAILED, START, error=error, kind=kind))
        record = await get_one(engine)
        assert (record.error, record.kind, record.answer) == (error, kind, None)

    async def test_attempts_are_kept_whole(self, engine: Engine) -> None:
        """Every attempt that ended is appended with its error, its exception and its times."""
        held = await take_new(engine)
        first = Attempt(
            number=1,
            outcome=Outcome.ERROR,
            error={"status": 500},
            exception="Traceback: …",
            started=START,
            finished=START + 0.5,
        )
        await settle(engine, an_end(held, JobState.RETRYING, START, attempts=[first]))
        held = await take_one(engine)
        second = Attempt(number=2, outcome=Outcome.SUCCEEDED, started=START, finished=START + 1)
        await settle(engine, an_end(held, JobState.SUCCEEDED, START, attempts=[second]))
        assert (await get_one(engine)).attempts == (first, second)

    async def test_the_last_hundred_attempts_are_kept(self, engine: Engine) -> None:
        """Whoever starts for the hundred and fifth time has forgotten the first five."""
        held = await take_new(engine)
        ended = [
            Attempt(number=n, outcome=Outcome.INTERRUPTED, started=START, finished=START)
            for n in range(1, ATTEMPTS_KEPT + 6)
        ]
        await settle(engine, an_end(held, JobState.QUEUED, START, attempts=ended[:60], starts=60))
        held = await take_one(engine)
        await settle(engine, an_end(held, JobState.QUEUED, START, attempts=ended[60:], starts=105))
        assert (await get_one(engine)).attempts == tuple(ended[5:])

    async def test_a_retry_comes_back_on_time(self, engine: Engine, clock: VirtualClock) -> None:
        """A retrying job is received when its backoff is over: the next start and attempt."""
        held = await take_new(engine)
        await settle(engine, an_end(held, JobState.RETRYING, START, due=START + 30))
        await clock.advance(29.5)
        assert not await take(engine)
        await clock.advance(0.5)
        again = await take_one(engine)
        assert (again.job.attempt, again.job.starts) == (2, 2)
        assert again.job.started == START

    async def test_given_back_keeps_its_numbering(self, engine: Engine) -> None:
        """A job given back uncounted is received at once; its starts go on from where they were."""
        held = await take_new(engine)
        await settle(engine, an_end(held, JobState.QUEUED, START, attempt=0))
        record = await get_one(engine)
        assert (record.state, record.attempt, record.starts) == (JobState.QUEUED, 0, 1)
        again = await take_one(engine)
        assert (again.job.attempt, again.job.starts) == (1, 2)
        assert [attempt.number for attempt in again.job.attempts if attempt.outcome] == [1]

    async def test_a_suspect_is_marked_and_cleared(self, engine: Engine) -> None:
        """The record is suspect for as long as its last settlement said so."""
        held = await take_new(engine)
        await settle(engine, an_end(held, JobState.QUEUED, START, suspect=True))
        assert (await get_one(engine)).suspect
        held = await take_one(engine, alone=True)
        await settle(engine, an_end(held, JobState.RETRYING, START))
        assert not (await get_one(engine)).suspect
        await take_one(engine)

    async def test_a_lapsed_lease_that_nobody_took_still_commits(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """The token fences, not the time: slow work that nobody took over is not lost."""
        held = await take_new(engine)
        await clock.advance(LEASE_SECONDS * 2)
        assert (await settle(engine, an_end(held, JobState.SUCCEEDED, clock.now()))).status is DONE

    async def test_answers_come_in_the_order_of_the_settlements(self, engine: Engine) -> None:
        """One that lost and one in conflict take nothing from the others of a batch."""
        await engine.accept([a_job(number) for number in (1, 2, 3, 4)])
        held = {each.job.id: each for each in await take(engine)}
        ends = [an_end(held[id_], JobState.SUCCEEDED, START) for id_ in numbered(1, 2, 3, 4)]
        await settle(engine, ends[1])
        works = [Work(), Work(), put(COUNTER, b"1", over=5), Work()]
        settled = await engine.settle(
            [Settlement(finish=end, work=work) for end, work in zip(ends, works, strict=True)]
        )
        assert [each.status for each in settled] == [DONE, LOST, CONFLICT, DONE]
        states = [record and record.state for record in await engine.get(numbered(1, 2, 3, 4))]
        done = JobState.SUCCEEDED
        assert states == [done, done, JobState.RUNNING, done]

    async def test_a_large_batch_settles_whole(self, engine: Engine) -> None:
        """A batch may be larger than a store's own."""
        await engine.accept([a_job(number) for number in range(1, 301)])
        held = await take(engine, 300)
        ends = [Settlement(finish=an_end(each, JobState.SUCCEEDED, START)) for each in held]
        assert [each.status for each in await engine.settle(ends)] == [DONE] * 300
        records = await engine.get(numbered(*range(1, 301)))
        assert {record and record.state for record in records} == {JobState.SUCCEEDED}

    @pytest.mark.parametrize("count", [3, 30])
    async def test_those_that_end_alike_keep_what_is_their_own(
        self, engine: Engine, count: int
    ) -> None:
        """However many there are: an answer's body, its type, an attempt's start."""
        await engine.accept([a_job(number) for number in range(1, count + 1)])
        held = {each.job.id: each for each in await take(engine, count)}
        ends = {}
        for number, id_ in enumerate(numbered(*range(1, count + 1))):
            kind = "text/plain" if number % 3 == 1 else "application/json"
            answer = None if number % 3 == 2 else Answer(200, kind, b"%d" % (number // 6))
            started = START + number % 2
            ended = Attempt(number=1, outcome=Outcome.SUCCEEDED, started=started, finished=START)
            ends[id_] = an_end(
                held[id_], JobState.SUCCEEDED, START, answer=answer, attempts=[ended]
            )
        await engine.settle([Settlement(finish=finish) for finish in ends.values()])
        for id_, record in zip(ends, await engine.get(list(ends)), strict=True):
            assert record is not None
            assert record.answer == ends[id_].answer
            assert list(record.attempts) == list(ends[id_].attempts)

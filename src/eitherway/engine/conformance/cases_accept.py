"""Opening a store, accepting jobs and reading their records."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

import pytest

from ...clock import Clock
from ...errors import ConfigurationError
from ...job import JobState
from ..contract import Engine
from ..listing import JobFilter
from ..values import Message, Work
from .harness import EngineHarness, soon
from .samples import (
    START,
    WHOSE,
    a_demand,
    a_job,
    an_end,
    get_one,
    job_id,
    ready,
    settle,
    take,
    take_new,
    take_one,
)

PAYLOAD_BYTES = 4 * 1024 * 1024
"""More than this no case sends, whatever an engine takes."""


class OpenCases(EngineHarness):
    """What holds of an engine before its first job."""

    def test_a_wrong_url_is_a_configuration_error(self, clock: Clock) -> None:
        """`from_url` refuses what it does not understand, in one line that says what to do."""
        with pytest.raises(ConfigurationError) as refused:
            self.make("no-such-engine://nowhere", clock)
        assert str(refused.value)
        assert "\n" not in str(refused.value)

    async def test_opening_twice_is_opening(self, engine: Engine) -> None:
        """`open` is idempotent, and loses nothing."""
        await engine.accept([a_job()])
        await engine.open()
        assert (await get_one(engine)).id == job_id(1)

    async def test_closing_twice_is_closing(self, engine: Engine) -> None:
        """`close` is idempotent, also of an engine that was never open."""
        await engine.close()
        await engine.close()

    async def test_closing_the_unopened_is_nothing(self, url: str, clock: Clock) -> None:
        """An app whose start failed may close all it has."""
        await soon(self.make(url, clock).close())

    async def test_closing_does_not_wait_for_the_waiting(self, engine: Engine) -> None:
        """`close` is bounded, whatever waits in `ready` and `events`."""
        waiting = [
            asyncio.ensure_future(ready(engine, ["place_order"], 3600)),
            asyncio.ensure_future(engine.events(None, 3600)),
        ]
        await engine.read([])
        await soon(engine.close())
        for task in waiting:
            task.cancel()
        await soon(asyncio.wait(waiting))

    async def test_nothing_asked_nothing_given(self, engine: Engine) -> None:
        """Every method takes an empty sequence, and a count of none."""
        cursor = (await engine.events(None, 0)).cursor
        await engine.accept([a_job(deadline=START - 1), a_job(2)])
        assert not await engine.accept([])
        assert not await engine.receive([])
        assert not await engine.receive([a_demand(0)])
        assert not await engine.overdue(0, 1)
        assert not await engine.purge(0)
        assert not await engine.extend([])
        assert not await engine.settle([])
        assert not await engine.get([])
        assert not await engine.read([])
        assert not await engine.messages([])
        assert not (await engine.list(JobFilter(), None, 0)).jobs
        assert not await engine.redrive([])
        assert not await engine.discard([])
        await engine.pause([], paused=True)
        assert not (await soon(engine.events(cursor, 0, jobs=[]))).events
        assert not await ready(engine, [], 0)

    def test_capabilities_are_constant(self, url: str, clock: Clock) -> None:
        """Known before `open`, the same for every engine of a URL, and not nothing."""
        able = self.make(url, clock).capabilities
        assert able == self.make(url, clock).capabilities
        assert min(able.payload_bytes_max, able.item_bytes_max, able.writes_per_commit_max) > 0


class AcceptCases(EngineHarness):
    """What `accept` and `get` promise."""

    async def test_accepted_is_readable_at_once(self, engine: Engine) -> None:
        """The record is there when `accept` returns, and says what was asked."""
        assert list(await engine.accept([a_job(7, version=3, attempts_max=2)])) == [True]

        record = await get_one(engine, 7)

        assert (record.id, record.operation, record.version) == (job_id(7), "place_order", 3)
        assert (record.state, record.revision >= 1) == (JobState.QUEUED, True)
        assert (record.created, record.updated, record.due) == (START, START, START)
        assert (record.deadline, record.attempts_max) == (START + 3600, 2)
        assert (record.attempt, record.starts, record.attempts) == (0, 0, ())
        assert (record.started, record.finished, record.expires) == (None, None, None)
        assert (record.suspect, record.progress, record.answer) == (False, None, None)
        assert (record.error, record.kind, record.cause) == (None, None, None)

    async def test_a_job_keeps_its_owner_and_its_trace(self, engine: Engine) -> None:
        """In its record, in its deliveries and to its end, and none of its own accord."""
        await engine.accept([a_job(1, **WHOSE), a_job(2)])
        first, second = await take(engine, 2)
        await settle(engine, an_end(first, JobState.SUCCEEDED, START))
        for record in (first.job, await get_one(engine, 1)):
            assert WHOSE.items() <= asdict(record).items()
        assert dict.fromkeys(WHOSE).items() <= asdict(second.job).items()

    async def test_an_enqueued_job_keeps_its_owner_and_its_trace(self, engine: Engine) -> None:
        """Also of those that an attempt enqueued."""
        await settle(engine, None, Work(jobs=[a_job(1, **WHOSE)]))
        assert WHOSE.items() <= asdict(await get_one(engine)).items()

    async def test_due_later_is_scheduled(self, engine: Engine) -> None:
        """A job due after its creation is scheduled, one due at once is queued."""
        await engine.accept([a_job(1, due=START + 60), a_job(2)])
        assert (await get_one(engine, 1)).state is JobState.SCHEDULED
        assert (await get_one(engine, 1)).due == START + 60
        assert (await get_one(engine, 2)).state is JobState.QUEUED

    async def test_accepted_before_changes_nothing(self, engine: Engine) -> None:
        """The same id again is answered False, and the first job stays as it was."""
        await engine.accept([a_job(message=Message(payload=b'"first"'))])
        before = await get_one(engine)

        again = a_job(message=Message(payload=b'"second"'), attempts_max=9, due=START + 5)
        assert list(await engine.accept([again])) == [False]

        assert await get_one(engine) == before
        assert (await take_one(engine)).message.payload == b'"first"'

    async def test_accepted_again_while_it_runs_changes_nothing(self, engine: Engine) -> None:
        """A late repetition neither stops a job that started nor makes a second one."""
        held = await take_new(engine)
        assert list(await engine.accept([a_job()])) == [False]
        assert await get_one(engine) == held.job
        assert not await ready(engine, ["place_order"], 0)

    async def test_twice_in_one_batch_is_once(self, engine: Engine) -> None:
        """One of two jobs with the same id in one batch is new."""
        assert list(await engine.accept([a_job(1), a_job(1)])) == [True, False]
        assert (await take_one(engine)).job.id == job_id(1)

    async def test_twice_at_once_is_once(self, engine: Engine) -> None:
        """Of concurrent accepts of one id, one is new."""
        answers = await asyncio.gather(*(engine.accept([a_job()]) for _ in range(10)))
        assert sorted(new for (new,) in answers) == [False] * 9 + [True]

    async def test_answers_come_in_the_order_of_the_jobs(self, engine: Engine) -> None:
        """Each answer of a batch is about the job in its place."""
        await engine.accept([a_job(2), a_job(4)])
        answers = await engine.accept([a_job(number) for number in range(1, 6)])
        assert list(answers) == [True, False, True, False, True]

    async def test_records_come_in_the_order_of_the_ids(self, engine: Engine) -> None:
        """Each record of a batch is in its id's place, None for an id never seen."""
        await engine.accept([a_job(number) for number in range(1, 4)])
        records = await engine.get([job_id(number) for number in (3, 9, 1, 3)])
        found = [record and record.id for record in records]
        assert found == [job_id(3), None, job_id(1), job_id(3)]

    async def test_a_large_batch_is_accepted_whole(self, engine: Engine) -> None:
        """A batch may be larger than a store's own."""
        jobs = [a_job(number) for number in range(1, 1201)]
        assert list(await engine.accept(jobs)) == [True] * 1200
        records = await engine.get([job.id for job in jobs])
        assert [record and record.id for record in records] == [job.id for job in jobs]

    async def test_a_message_is_bytes(self, engine: Engine) -> None:
        """The parts of a message come back as they were, each byte of them."""
        every = bytes(range(256))
        message = Message(payload=every, params=every[::-1], headers=every[:7])
        assert (await take_new(engine, message=message)).message == message

    async def test_a_payload_may_be_as_large_as_stated(self, engine: Engine) -> None:
        """A payload of `payload_bytes_max` bytes arrives whole."""
        size = min(engine.capabilities.payload_bytes_max, PAYLOAD_BYTES)
        payload = b'"%s"' % (b"x" * (size - 2))
        held = await take_new(engine, message=Message(payload=payload))
        assert held.message.payload == payload

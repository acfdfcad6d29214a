"""Events: the facts of jobs, in the order of their commits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise

import pytest

from ...errors import EngineError
from ...job import JobState, check_transition
from ..contract import Engine
from ..values import Event, Extension, Settlement, Work
from ..virtual_clock import VirtualClock
from .harness import EngineHarness, cancel, soon, while_waiting
from .samples import (
    START,
    a_job,
    an_end,
    get_one,
    job_id,
    numbered,
    settle,
    take,
    take_new,
    take_one,
)


async def everything(engine: Engine, cursor: str, jobs: Sequence[str] | None = None) -> list[Event]:
    """All events after a cursor, page by page, each of them once."""
    found: dict[tuple[str, int], Event] = {}
    is_end = False
    while not is_end:
        page = await engine.events(cursor, 0, jobs=jobs)
        news = {(each.job_id, each.sequence): each for each in page.events}
        assert len(news) == len(page.events)
        assert found.keys().isdisjoint(news), "an event was told twice"
        found |= news
        cursor, is_end = page.cursor, page.is_end
    return list(found.values())


def in_order(event: Event) -> tuple[str, int]:
    """By job, and of each in the order of its events."""
    return event.job_id, event.sequence


class EventCases(EngineHarness):
    """What `events` promises."""

    async def test_now_has_no_events(self, engine: Engine) -> None:
        """Without a cursor one gets that of now, at once, and nothing of the past."""
        await take_new(engine)
        page = await soon(engine.events(None, 3600))
        assert not page.events
        assert not (await engine.events(page.cursor, 0)).events

    async def test_a_life_is_told_in_order(self, engine: Engine, clock: VirtualClock) -> None:
        """Each revision of a record is an event: its state and its time, and none is left out."""
        cursor = (await engine.events(None, 0)).cursor
        await engine.accept([a_job()])
        records = [await get_one(engine)]
        await clock.advance(1)
        held = await take_one(engine)
        records.append(held.job)
        await settle(engine, an_end(held, JobState.RETRYING, START + 2, due=START + 2))
        records.append(await get_one(engine))
        await clock.advance(1)
        held = await take_one(engine)
        records.append(held.job)
        await engine.extend([Extension(lease=held.lease, lease_seconds=30, progress={"of": 2})])
        records.append(await get_one(engine))
        await settle(engine, an_end(held, JobState.SUCCEEDED, START + 2))
        records.append(await get_one(engine))

        told = await everything(engine, cursor)

        assert [(each.state, each.sequence, each.at) for each in told] == [
            (record.state, record.revision, record.updated) for record in records
        ]
        assert {each.job_id for each in told} == {job_id(1)}
        assert [each.progress for each in told] == [False, False, False, False, True, False]
        first = told[0].sequence
        assert [each.sequence for each in told] == list(range(first, first + len(told)))

    async def test_a_scheduled_life_is_legal(self, engine: Engine, clock: VirtualClock) -> None:
        """From one event to the next there is a transition, for a job that fell due as well."""
        cursor = (await engine.events(None, 0)).cursor
        await engine.accept([a_job(due=START + 5)])
        await clock.advance(5)
        await settle(engine, an_end(await take_one(engine), JobState.SUCCEEDED, START + 5))
        told = await everything(engine, cursor)
        assert (told[0].state, told[-1].state) == (JobState.SCHEDULED, JobState.SUCCEEDED)
        for earlier, later in pairwise(told):
            check_transition(earlier.state, later.state)
            assert later.sequence > earlier.sequence

    async def test_an_enqueued_job_has_events(self, engine: Engine) -> None:
        """A job that an attempt enqueued is told of like any other."""
        cursor = (await engine.events(None, 0)).cursor
        await settle(engine, None, Work(jobs=[a_job(1), a_job(2, due=START + 9)]))
        told = {each.job_id: each.state for each in await everything(engine, cursor)}
        assert told == {job_id(1): JobState.QUEUED, job_id(2): JobState.SCHEDULED}

    async def test_what_changed_nothing_tells_nothing(self, engine: Engine) -> None:
        """Neither an id accepted before, nor a lost settlement, nor a plain extension is news."""
        held = await take_new(engine)
        cursor = (await engine.events(None, 0)).cursor
        await engine.accept([a_job()])
        await engine.extend([Extension(lease=held.lease, lease_seconds=30)])
        assert not await everything(engine, cursor)
        await settle(engine, an_end(held, JobState.SUCCEEDED, START))
        await settle(engine, an_end(held, JobState.FAILED, START))
        assert [each.state for each in await everything(engine, cursor)] == [JobState.SUCCEEDED]

    async def test_every_cursor_goes_on(self, engine: Engine) -> None:
        """From the cursor of any page on comes the rest, without a gap and without repetition."""
        cursor = (await engine.events(None, 0)).cursor
        cursors = [cursor]
        seen: list[Event] = []
        for number in range(1, 6):
            await engine.accept([a_job(number)])
            page = await engine.events(cursor, 0)
            cursor = page.cursor
            cursors.append(cursor)
            seen += page.events
        assert [each.job_id for each in seen] == [job_id(number) for number in range(1, 6)]
        for place, earlier in enumerate(cursors):
            assert await everything(engine, earlier) == seen[place:]

    async def test_every_event_is_a_cursor(self, engine: Engine) -> None:
        """From any event on, also within a page and of some jobs, comes what follows it."""
        start = (await engine.events(None, 0)).cursor
        await engine.accept([a_job(number) for number in range(1, 5)])
        await take(engine)
        for jobs in (None, numbered(1, 3)):
            told = await everything(engine, start, jobs)
            for place, event in enumerate(told, 1):
                assert await everything(engine, event.cursor, jobs) == told[place:]

    async def test_many_jobs_are_told_whole(self, engine: Engine) -> None:
        """However many and however concurrent: each job's events are all there, in order."""
        cursor = (await engine.events(None, 0)).cursor
        batches = [[a_job(n * 100 + m) for m in range(100)] for n in range(5)]
        await asyncio.gather(*(engine.accept(batch) for batch in batches))

        async def work() -> None:
            while held := await take(engine, 17):
                ends = [an_end(each, JobState.SUCCEEDED, START) for each in held]
                await engine.settle([Settlement(finish=end) for end in ends])

        await asyncio.gather(*(work() for _ in range(4)))
        lives: dict[str, list[Event]] = {}
        for each in await everything(engine, cursor):
            lives.setdefault(each.job_id, []).append(each)

        assert len(lives) == 500
        states = [JobState.QUEUED, JobState.RUNNING, JobState.SUCCEEDED]
        for life in lives.values():
            assert [each.state for each in life] == states
            assert life == sorted(life, key=lambda each: each.sequence)

    @pytest.mark.parametrize("cursor", ["", "no cursor", "-1", "9" * 99])
    async def test_a_cursor_that_is_none_is_refused(self, engine: Engine, cursor: str) -> None:
        """What no page gave is an error at once, rather than a wait without end."""
        with pytest.raises(EngineError):
            await soon(engine.events(cursor, 3600))
        with pytest.raises(EngineError):
            await soon(engine.events(cursor, 3600, jobs=[job_id(1)]))

    async def test_events_of_some_jobs(self, engine: Engine) -> None:
        """Of these jobs alone, each in order; an id never seen has none, one named twice is one."""
        start = (await engine.events(None, 0, jobs=numbered(2))).cursor
        await engine.accept([a_job(number) for number in range(1, 5)])
        held = {each.job.id: each for each in await take(engine)}
        middle = (await engine.events(None, 0)).cursor
        for id_ in numbered(4, 1, 2):
            await settle(engine, an_end(held[id_], JobState.SUCCEEDED, START))
        life = [JobState.QUEUED, JobState.RUNNING, JobState.SUCCEEDED]

        wanted = numbered(2, 4, 99, 2)
        told = await everything(engine, start, wanted)
        for id_ in numbered(2, 4):
            assert [each.state for each in told if each.job_id == id_] == life
        assert {each.job_id for each in told} == set(numbered(2, 4))
        later = await everything(engine, middle, wanted)
        assert {(each.job_id, each.state) for each in later} == {
            (id_, JobState.SUCCEEDED) for id_ in numbered(2, 4)
        }
        assert not await everything(engine, start, [])

    async def test_nothing_is_left_once_a_page_says_so(self, engine: Engine) -> None:
        """However much of others stands before it: whoever reads to the end finds a job's end."""
        start = (await engine.events(None, 0)).cursor
        assert (await engine.events(start, 0)).is_end
        for batch in range(3):
            others = range(batch * 100 + 2, batch * 100 + 102)
            await engine.accept([a_job(number, operation="other") for number in others])
        await take_new(engine, 1)
        assert not (await engine.events(start, 0)).is_end
        told = await everything(engine, start, [job_id(1)])
        assert [each.state for each in told] == [JobState.QUEUED, JobState.RUNNING]
        assert await everything(engine, start, [job_id(400)]) == []

    async def test_a_long_life_is_told_whole(self, engine: Engine) -> None:
        """More events of some jobs than a page holds come in several, while others happen."""
        cursor = (await engine.events(None, 0)).cursor
        await engine.accept([a_job(number) for number in (1, 2, 3)])
        leases = [each.lease for each in await take(engine)]

        async def progress() -> None:
            for done in range(200):
                steps = [Extension(lease=e, lease_seconds=30, progress={"n": done}) for e in leases]
                await engine.extend(steps)

        async def follow() -> list[Event]:
            found: list[Event] = []
            at = cursor
            while len(found) < 2 * 202:
                page = await soon(engine.events(at, 3600, jobs=numbered(1, 3)))
                found += page.events
                at = page.cursor
            return found

        told, _ = await asyncio.gather(follow(), progress())
        assert len({(each.job_id, each.sequence) for each in told}) == len(told)
        for id_ in numbered(1, 3):
            life = [each.sequence for each in told if each.job_id == id_]
            assert life == list(range(life[0], life[0] + 202))
        assert sorted(await everything(engine, cursor, numbered(1, 3)), key=in_order) == sorted(
            told, key=in_order
        )

    async def test_other_jobs_do_not_end_the_wait(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """Whoever follows some jobs waits through the others' events, and misses none of its."""
        cursor = (await engine.events(None, 0)).cursor
        waiting = await while_waiting(clock, engine.events(cursor, 3600, jobs=numbered(2)))
        await engine.accept([a_job(1)])
        await clock.advance(5)
        assert not waiting.done()
        await engine.accept([a_job(2)])
        page = await soon(waiting)
        assert [each.job_id for each in page.events] == numbered(2)
        assert not await everything(engine, page.cursor, numbered(2))
        waiting = await while_waiting(clock, engine.events(page.cursor, 8, jobs=numbered(2)))
        await engine.accept([a_job(3)])
        await clock.advance(8)
        page = await soon(waiting)
        assert not page.events
        await take(engine)
        assert [each.state for each in await everything(engine, page.cursor, numbered(2))] == [
            JobState.RUNNING
        ]

    async def test_an_event_wakes(self, engine: Engine, clock: VirtualClock) -> None:
        """Whoever waits for events gets the next one without time passing."""
        cursor = (await engine.events(None, 0)).cursor
        waiting = await while_waiting(clock, engine.events(cursor, 3600))
        await engine.accept([a_job()])
        assert [each.job_id for each in (await soon(waiting)).events] == [job_id(1)]

    async def test_no_event_in_time(self, engine: Engine, clock: VirtualClock) -> None:
        """The wait ends when it was to end, and its cursor misses nothing."""
        cursor = (await engine.events(None, 0)).cursor
        waiting = await while_waiting(clock, engine.events(cursor, 8))
        await clock.advance(7.5)
        assert not waiting.done()
        await clock.advance(0.5)
        page = await soon(waiting)
        assert not page.events
        await engine.accept([a_job()])
        assert [each.job_id for each in await everything(engine, page.cursor)] == [job_id(1)]

    async def test_no_event_falls_between_check_and_wait(self, engine: Engine) -> None:
        """However a commit and a wait interleave, the wait sees the event."""
        for turns in range(60):
            cursor = (await engine.events(None, 0)).cursor
            waiting = asyncio.ensure_future(engine.events(cursor, 3600))
            for _ in range(turns % 20):
                await asyncio.sleep(0)
            await engine.accept([a_job(turns)])
            assert [each.job_id for each in (await soon(waiting)).events] == [job_id(turns)]

    async def test_a_canceled_wait_keeps_no_event(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """A wait that is cancelled, also while an event arrives, keeps it from nobody."""
        cursor = (await engine.events(None, 0)).cursor
        canceled = await while_waiting(clock, engine.events(cursor, 3600))
        kept = asyncio.ensure_future(engine.events(cursor, 3600))
        accepting = asyncio.ensure_future(engine.accept([a_job()]))
        await asyncio.sleep(0)
        await cancel(canceled)
        await accepting
        assert [each.job_id for each in (await soon(kept)).events] == [job_id(1)]
        assert [each.job_id for each in await everything(engine, cursor)] == [job_id(1)]

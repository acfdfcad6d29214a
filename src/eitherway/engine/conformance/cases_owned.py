"""Events of an owner's jobs. For engines with `events_by_owner`."""

from __future__ import annotations

import pytest

from ...errors import EngineError
from ...job import JobState
from ..cancellation import Cancellation
from ..contract import Engine
from ..event_query import OwnedBy
from ..values import Delivery, Event, Extension, Work
from ..virtual_clock import VirtualClock
from .harness import EngineHarness, soon, while_waiting
from .samples import (
    START,
    a_death,
    a_job,
    a_redrive,
    an_end,
    job_id,
    numbered,
    settle,
    take,
    take_one,
)

ADA, BOB = OwnedBy(owner="ada"), OwnedBy(owner="bob")


async def owned(engine: Engine, cursor: str, whose: OwnedBy) -> list[Event]:
    """All events of an owner's jobs after a cursor, page by page."""
    found: list[Event] = []
    is_end = False
    while not is_end:
        page = await engine.events(cursor, 0, jobs=whose)
        found += page.events
        cursor, is_end = page.cursor, page.is_end
    return found


async def live_every_way(engine: Engine, held: Delivery, clock: VirtualClock) -> None:
    """Take a held job through every kind of event that there is."""
    step = Extension(lease=held.lease, lease_seconds=30, progress={"of": 2})
    await engine.extend([step])
    await settle(engine, an_end(held, JobState.RETRYING, clock.now(), due=clock.now()))
    await settle(engine, a_death(await take_one(engine)))
    await engine.redrive([a_redrive()])
    await engine.cancel([Cancellation(job_id=held.job.id, at=clock.now(), expires=START + 9)])


class OwnedEventCases(EngineHarness):
    """What `events` promises of an owner."""

    async def test_an_owner_is_told_of_all_their_jobs(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """Of every event, also of jobs accepted later or enqueued; and of nobody else's."""
        assert engine.capabilities.events_by_owner
        start = (await engine.events(None, 0)).cursor
        await engine.accept([a_job(1, owner="ada")])
        await live_every_way(engine, await take_one(engine), clock)
        await engine.accept([a_job(2, owner="bob"), a_job(3)])
        await settle(engine, None, Work(jobs=[a_job(4, owner="ada", due=START + 5)]))
        await clock.advance(5)
        await take(engine)
        told = await owned(engine, start, ADA)
        whole = (await engine.events(start, 0)).events
        mine = [each for each in whole if each.job_id in numbered(1, 4)]
        assert [(e.job_id, e.sequence) for e in told] == [(e.job_id, e.sequence) for e in mine]
        assert {each.owner for each in told} == {"ada"}
        assert len(mine) == 8 + 3
        assert {each.job_id for each in await owned(engine, start, BOB)} == {job_id(2)}
        assert not await owned(engine, start, OwnedBy(owner=""))

    async def test_every_event_says_whose_job_it_is(self, engine: Engine) -> None:
        """Whoever follows the whole log can tell to whom each belongs."""
        start = (await engine.events(None, 0)).cursor
        await engine.accept([a_job(1, owner="ada"), a_job(2, owner="bob"), a_job(3)])
        whose = {job_id(1): "ada", job_id(2): "bob", job_id(3): None}
        for page in (
            await engine.events(start, 0),
            await engine.events(start, 0, jobs=list(whose)),
        ):
            assert {each.job_id: each.owner for each in page.events} == whose

    async def test_an_owners_cursors_go_on(self, engine: Engine) -> None:
        """From any of their events, and from the cursor of now; one that is none is refused."""
        start = (await engine.events(None, 0)).cursor
        await engine.accept([a_job(number, owner="ada") for number in (1, 2, 3)])
        told = await owned(engine, start, ADA)
        for place, event in enumerate(told, 1):
            assert await owned(engine, event.cursor, ADA) == told[place:]
        assert not await owned(engine, (await engine.events(None, 0)).cursor, ADA)
        with pytest.raises(EngineError):
            await soon(engine.events("9" * 99, 3600, jobs=ADA))

    async def test_more_than_a_page_of_an_owner_is_told_whole(self, engine: Engine) -> None:
        """In the order of commits, each event once, among others' jobs."""
        start = (await engine.events(None, 0)).cursor
        jobs = [a_job(n, owner="ada" if n % 2 else "bob") for n in range(1, 1401)]
        await engine.accept(jobs)
        told = await owned(engine, start, ADA)
        assert sorted(each.job_id for each in told) == numbered(*range(1, 1401, 2))

    async def test_other_owners_do_not_end_the_wait(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """Whoever follows an owner waits through others' events, and misses none of theirs."""
        start = (await engine.events(None, 0)).cursor
        waiting = await while_waiting(clock, engine.events(start, 3600, jobs=ADA))
        await engine.accept([a_job(1, owner="bob"), a_job(2)])
        await clock.advance(5)
        assert not waiting.done()
        await engine.accept([a_job(3, owner="ada")])
        assert [each.job_id for each in (await soon(waiting)).events] == numbered(3)

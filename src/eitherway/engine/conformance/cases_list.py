"""Listing jobs."""

from __future__ import annotations

import pytest

from ...job import FailureKind, JobRecord, JobState
from ..contract import Engine
from ..listing import JobFilter
from ..virtual_clock import VirtualClock
from .harness import EngineHarness
from .samples import (
    START,
    a_death,
    a_job,
    a_redrive,
    an_end,
    job_id,
    numbered,
    settle,
    take_one,
)

ENDS = (
    *("queued", "scheduled", "running", "retrying", "succeeded", "succeeded"),
    *("rejected", "canceled", "dead of one", "dead of another", "dead of another"),
)
"""What becomes of the jobs of a population, one after the other."""

OPERATIONS = 3
POPULATION = 4 * len(ENDS)


async def listed(engine: Engine, wanted: JobFilter, count: int = 100) -> list[JobRecord]:
    """All jobs that the filter lets through, page by page."""
    found: list[JobRecord] = []
    cursor: str | None = None
    while True:
        page = await engine.list(wanted, cursor, count)
        assert len(page.jobs) <= count
        found += page.jobs
        if page.cursor is None:
            return found
        assert page.cursor != cursor, "a page that does not go on"
        cursor = page.cursor


async def populate(engine: Engine) -> None:
    """Jobs of several operations in every state, dead ones and a rejected one among them."""
    for number in range(1, POPULATION + 1):
        operation = f"op-{number % OPERATIONS}"
        end, _, cause = ENDS[number % len(ENDS)].partition(" ")
        waits = end in {"queued", "scheduled"}
        due = START + 600 if end == "scheduled" else START
        # Of a version that nobody takes here, if it is to stay as it is.
        version = 2 if waits else 1
        await engine.accept([a_job(number, operation=operation, version=version, due=due)])
        if waits:
            continue
        held = await take_one(engine, operation=operation)
        if end == "dead":
            await settle(engine, a_death(held, cause=cause))
        elif end == "rejected":
            rejected = FailureKind.REJECTED
            await settle(engine, an_end(held, JobState.FAILED, START, kind=rejected))
        elif end != "running":
            await settle(engine, an_end(held, JobState(end), START, due=START + 600))


async def population(engine: Engine) -> list[JobRecord]:
    """The records of a population, the newest first."""
    found = await engine.get(numbered(*range(POPULATION, 0, -1)))
    return [record for record in found if record is not None]


def fits(record: JobRecord, wanted: JobFilter) -> bool:
    """Whether the filter lets a record through, by the words of `JobFilter`."""
    dead = record.state is JobState.FAILED and record.kind is not FailureKind.REJECTED
    return (
        (wanted.operations is None or record.operation in wanted.operations)
        and (wanted.states is None or record.state in wanted.states)
        and (dead or not wanted.dead)
        and (wanted.cause is None or record.cause == wanted.cause)
    )


FILTERS = [
    JobFilter(),
    *(JobFilter(states=[state]) for state in JobState),
    JobFilter(states=[JobState.FAILED, JobState.RUNNING]),
    JobFilter(states=[JobState.SUCCEEDED, JobState.QUEUED, JobState.FAILED]),
    JobFilter(operations=["op-1"]),
    JobFilter(operations=["op-2", "op-0"], states=[JobState.RUNNING, JobState.CANCELED]),
    JobFilter(operations=["op-1"], states=[JobState.SUCCEEDED]),
    JobFilter(dead=True),
    JobFilter(dead=True, operations=["op-0", "op-1"]),
    JobFilter(dead=True, cause="of another"),
    JobFilter(dead=True, cause="of another", operations=["op-2"]),
    JobFilter(dead=True, cause="of nothing"),
    JobFilter(dead=True, operations=["op-9"]),
    JobFilter(cause="of one"),
    JobFilter(dead=True, states=[JobState.SUCCEEDED]),
]


class ListCases(EngineHarness):
    """What `list` promises."""

    async def test_an_empty_store_lists_nothing(self, engine: Engine) -> None:
        """One page, empty, and the end."""
        page = await engine.list(JobFilter(), None, 10)
        assert (list(page.jobs), page.cursor) == ([], None)

    @pytest.mark.parametrize("count", [1, 3, 1000])
    async def test_filters_let_through_what_they_say(self, engine: Engine, count: int) -> None:
        """Whole records, the newest first, each of them once, whatever the size of the pages."""
        await populate(engine)
        records = await population(engine)
        assert len(records) == POPULATION
        for wanted in FILTERS:
            expected = [record for record in records if fits(record, wanted)]
            assert await listed(engine, wanted, count) == expected, wanted

    async def test_a_page_goes_on_where_the_last_one_ended(self, engine: Engine) -> None:
        """Jobs accepted meanwhile are neither in the pages that follow nor in the way of them."""
        await engine.accept([a_job(number) for number in range(1, 6)])
        page = await engine.list(JobFilter(), None, 2)
        assert [job.id for job in page.jobs] == numbered(5, 4)
        await engine.accept([a_job(number) for number in range(6, 9)])
        assert page.cursor is not None
        rest = await engine.list(JobFilter(), page.cursor, 10)
        assert [job.id for job in rest.jobs] == numbered(3, 2, 1)

    async def test_a_list_of_the_dead_may_be_worked_through(self, engine: Engine) -> None:
        """Letters deleted or sent again on the way take no others from the pages that follow."""
        await populate(engine)
        dead = [job.id for job in await listed(engine, JobFilter(dead=True))]
        seen: list[str] = []
        cursor: str | None = None
        while True:
            page = await engine.list(JobFilter(dead=True), cursor, 2)
            seen += [job.id for job in page.jobs]
            await engine.discard([job.id for job in page.jobs[:1]])
            await engine.redrive([a_redrive(job_id=job.id) for job in page.jobs[1:]])
            if page.cursor is None:
                break
            cursor = page.cursor
        assert seen == dead
        assert not await listed(engine, JobFilter(dead=True))

    async def test_what_fell_due_is_listed_as_it_reads(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """A scheduled job that fell due is queued: in its record, and so to filters."""
        await engine.accept([a_job(1, due=START + 5), a_job(2, due=START + 50)])
        await clock.advance(5)
        queued = await listed(engine, JobFilter(states=[JobState.QUEUED]))
        assert queued == list(await engine.get(numbered(1)))
        scheduled = await listed(engine, JobFilter(states=[JobState.SCHEDULED]))
        assert [job.id for job in scheduled] == [job_id(2)]

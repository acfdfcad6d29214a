"""Crashes: real processes, killed at each step and at any moment. For `shared` engines."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ...job import JobRecord, JobState
from ..cancellation import Cancellation
from ..contract import Engine
from ..virtual_clock import VirtualClock
from .cases_events import everything
from .cases_promote import a_promotion
from .crash_scenarios import (
    FIVE,
    JOBS,
    KILL_AT,
    SCENARIOS,
    effect_key,
    mail_id,
    settle_each,
    waiting_jobs,
)
from .harness import EngineHarness
from .samples import LEASE_SECONDS, START, an_end, ids, numbered, read_one, settle, take

CHILD = f"{__package__}.crash_child"
"""Not imported here, so that it runs as a program of its own."""

CHILD_SECONDS = 60
"""Real time after which a child process hangs."""

ALL = numbered(*range(1, JOBS + 1))
NO_STEP = "-"


@asynccontextmanager
async def child(url: str, step: str, scenario: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process of its own that works through a scenario; dead at the end."""
    program = [sys.executable, "-m", CHILD, url, step, scenario]
    process = await asyncio.create_subprocess_exec(*program, stdout=asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(CHILD_SECONDS):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def acknowledged(process: asyncio.subprocess.Process, count: int = JOBS) -> list[str]:
    """The next ids, at most `count`, that a child was given an acknowledgement for."""
    assert process.stdout is not None
    lines: list[str] = []
    while len(lines) < count and (line := await process.stdout.readline()):
        lines.append(line.decode().strip())
    return lines


async def existing(engine: Engine, wanted: list[str]) -> dict[str, JobRecord]:
    """The records there are of these ids."""
    return {record.id: record for record in await engine.get(wanted) if record is not None}


async def succeeded(engine: Engine) -> set[str]:
    """The jobs that succeeded; of each its item and its enqueued job are there, of no other."""
    records = await existing(engine, ALL)
    ended = {id_ for id_, record in records.items() if record.state is JobState.SUCCEEDED}
    mails = set(await existing(engine, [mail_id(id_) for id_ in ALL]))
    items = await engine.read([effect_key(id_) for id_ in ALL])
    assert {id_ for id_, item in zip(ALL, items, strict=True) if item.version} == ended
    assert mails == {mail_id(id_) for id_ in ended}
    return ended


async def counted(engine: Engine) -> int:
    """The table counter."""
    return int((await read_one(engine)).value or b"0")


async def recover(engine: Engine, clock: VirtualClock) -> None:
    """Take over what lapsed, give it back, and do all that waits, as workers and reapers do."""
    await clock.advance(LEASE_SECONDS + 1)
    while True:
        lapsed = await engine.overdue(50, LEASE_SECONDS)
        for each in lapsed:
            await settle(engine, an_end(each, JobState.QUEUED, clock.now()))
        held = await take(engine)
        done = [id_ async for id_ in settle_each(engine, held, clock.now())]
        mails = await take(engine, operation="send_mail")
        for mail in mails:
            await settle(engine, an_end(mail, JobState.SUCCEEDED, clock.now()))
        if not (lapsed or done or mails):
            return


async def assert_each_ended_once(engine: Engine, cursor: str, jobs: set[str]) -> None:
    """These jobs, those they enqueued and no others: all succeeded, each with one end."""
    assert await succeeded(engine) == jobs
    ends = Counter(each.job_id for each in await everything(engine, cursor) if each.state.done)
    assert ends == dict.fromkeys({*jobs, *map(mail_id, jobs)}, 1)


class CrashCases(EngineHarness):
    """What holds when a process dies with a store open."""

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Kill at every step that the engine names."""
        if "step" in metafunc.fixturenames:
            metafunc.parametrize("step", self.engine_class.STEPS)

    @asynccontextmanager
    async def opened(self, url: str, clock: VirtualClock) -> AsyncIterator[Engine]:
        """An engine of this process, open while nothing else is."""
        engine = self.make(url, clock)
        await engine.open()
        try:
            yield engine
        finally:
            await engine.close()

    async def test_every_step_is_taken(self, url: str, clock: VirtualClock) -> None:
        """The cases below kill at each step: the scenarios take it often enough."""
        taken: Counter[str] = Counter()
        engine = self.make(url, clock, at_step=lambda name: taken.update([name]))
        await engine.open()
        for scenario in ("accept", "settle"):
            async for _ in SCENARIOS[scenario](engine):
                pass
        if engine.capabilities.promotes_running:
            for number in range(JOBS + 1, JOBS + 1 + KILL_AT):
                await engine.promote([a_promotion(number)])
        await engine.close()
        assert set(taken) == set(self.engine_class.STEPS) != set()
        assert min(taken.values()) >= KILL_AT

    @pytest.mark.parametrize("scenario", ["accept", "promote"])
    async def test_a_crash_while_storing(
        self, url: str, clock: VirtualClock, step: str, scenario: str
    ) -> None:
        """What was acknowledged is there, and whatever is there can be worked off."""
        async with self.opened(url, clock) as engine:
            cursor = (await engine.events(None, 0)).cursor
            stores = scenario == "accept" or engine.capabilities.promotes_running
        async with child(url, step, scenario) as process:
            known = await acknowledged(process)
            died = await process.wait() == -signal.SIGKILL
        assert died or known == (ALL if stores else [])

        async with self.opened(url, clock) as engine:
            there = set(await existing(engine, ALL))
            assert set(known) <= there
            await recover(engine, clock)
            assert there <= set(await existing(engine, ALL))
            await assert_each_ended_once(engine, cursor, set(await existing(engine, ALL)))
            assert await counted(engine) == len(await succeeded(engine))

    @pytest.mark.parametrize("scenario", ["settle", "settle_batches", "settle_together"])
    async def test_a_crash_while_settling(
        self, url: str, clock: VirtualClock, step: str, scenario: str
    ) -> None:
        """Record, items and enqueued jobs are together there or not, and each job ends once."""
        async with self.opened(url, clock) as engine:
            cursor = (await engine.events(None, 0)).cursor
            await engine.accept(waiting_jobs())
        async with child(url, step, scenario) as process:
            known = await acknowledged(process)
            died = await process.wait() == -signal.SIGKILL
        assert died or sorted(known) == ALL

        async with self.opened(url, clock) as engine:
            await self.assert_recovers(engine, clock, cursor, known, scenario)

    @pytest.mark.parametrize("acknowledgements", [1, 6, 17])
    @pytest.mark.parametrize("scenario", ["settle", "settle_batches", "settle_together"])
    async def test_a_kill_at_any_moment(
        self, engine: Engine, url: str, clock: VirtualClock, scenario: str, acknowledgements: int
    ) -> None:
        """So it is when a process is killed from outside while another has the store open."""
        cursor = (await engine.events(None, 0)).cursor
        await engine.accept(waiting_jobs())
        async with child(url, NO_STEP, scenario) as process:
            known = await acknowledged(process, acknowledgements)
            process.kill()
            known += await acknowledged(process)
        await self.assert_recovers(engine, clock, cursor, known, scenario)

    async def test_a_killed_holder_is_taken_over(
        self, engine: Engine, url: str, clock: VirtualClock
    ) -> None:
        """What a process holds is its own while it lives, and lapses, at the latest, after it."""
        cursor = (await engine.events(None, 0)).cursor
        await engine.accept(waiting_jobs())
        async with child(url, NO_STEP, "hold") as process:
            held = await acknowledged(process, 5)
            await clock.advance(LEASE_SECONDS - 1)
            assert not await engine.overdue(50, LEASE_SECONDS)
            process.kill()

        await clock.advance(2)
        lapsed = await engine.overdue(50, LEASE_SECONDS)

        assert sorted(ids(lapsed)) == sorted(held)
        for each in lapsed:
            await settle(engine, an_end(each, JobState.QUEUED, clock.now(), attempt=0))
        await recover(engine, clock)
        await assert_each_ended_once(engine, cursor, set(ALL))
        records = await existing(engine, ALL)
        assert {id_ for id_, record in records.items() if record.starts == 2} == set(held)

    async def test_a_killed_holder_of_canceled_jobs_leaves_their_places(
        self, engine: Engine, url: str, clock: VirtualClock
    ) -> None:
        """Canceled while its process lives, a job counts until its lease is over; then not."""
        await engine.accept(waiting_jobs())
        async with child(url, NO_STEP, "hold") as process:
            held = await acknowledged(process, 5)
            wanted = [Cancellation(job_id=id_, at=START, expires=START + 1) for id_ in held]
            assert list(await engine.cancel(wanted)) == [True] * 5
            assert not await take(engine, limits=[FIVE])
            process.kill()

        await clock.advance(LEASE_SECONDS + 1)
        assert not await engine.overdue(50, LEASE_SECONDS)
        again = await take(engine, limits=[FIVE])
        assert len(again) == 5
        assert not set(ids(again)) & set(held)
        assert await engine.purge(50) == 5

    async def assert_recovers(
        self, engine: Engine, clock: VirtualClock, cursor: str, known: list[str], scenario: str
    ) -> None:
        """After a crash nothing is half done; afterwards everything is done, once."""
        before = await succeeded(engine)
        assert set(known) <= before
        total = await counted(engine)
        assert total == (0 if scenario == "settle_batches" else len(before))

        await recover(engine, clock)

        await assert_each_ended_once(engine, cursor, set(ALL))
        assert await counted(engine) == total + JOBS - len(before)

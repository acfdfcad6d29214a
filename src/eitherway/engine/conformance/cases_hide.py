"""Jobs that have ended: hidden from their owners, and what is remembered when they are gone."""

from __future__ import annotations

import pytest

from ...job import JobState
from ..contract import Engine
from ..tombstone import Tombstone
from ..virtual_clock import VirtualClock
from .cases_dead import NEVER
from .cases_events import everything
from .harness import EngineHarness
from .samples import (
    START,
    a_death,
    a_job,
    a_redrive,
    an_end,
    die,
    get_one,
    numbered,
    settle,
    take,
    take_new,
    take_one,
)


class HideCases(EngineHarness):
    """What `hide` promises."""

    @pytest.mark.parametrize("state", [JobState.SUCCEEDED, JobState.CANCELED, JobState.FAILED])
    async def test_what_has_ended_is_hidden_once(self, engine: Engine, state: JobState) -> None:
        """The record says so, and nothing else of it changes."""
        held = await take_new(engine)
        dead = state is JobState.FAILED
        await settle(engine, a_death(held) if dead else an_end(held, state, START))
        before = await get_one(engine)
        cursor = (await engine.events(None, 0)).cursor
        assert list(await engine.hide(numbered(1, 1, NEVER))) == [True, False, False]
        after = await get_one(engine)
        assert (before.hidden, after.hidden) == (False, True)
        assert (after.state, after.revision, after.expires) == (
            before.state,
            before.revision,
            before.expires,
        )
        assert not await everything(engine, cursor)

    async def test_what_has_not_ended_is_not_hidden(self, engine: Engine) -> None:
        """Waiting or running, it stays in sight."""
        await take_new(engine, 1)
        await engine.accept([a_job(2)])
        assert list(await engine.hide(numbered(1, 2))) == [False, False]
        assert not (await get_one(engine, 1)).hidden

    async def test_a_hidden_dead_letter_can_be_redriven(self, engine: Engine) -> None:
        """It stays an operator's to send again, and hidden."""
        await die(engine)
        await engine.hide(numbered(1))
        assert list(await engine.redrive([a_redrive()])) == [True]
        assert (await take_one(engine)).job.hidden


class TombstoneCases(EngineHarness):
    """What `purge` and `gone` promise of tombstones."""

    async def test_a_purged_job_is_gone_for_a_while(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """From its purge until so long after its `expires`; and its tombstone is deleted."""
        end = an_end(await take_new(engine, 1), JobState.SUCCEEDED, START, expires=START + 10)
        await settle(engine, end)
        await clock.advance(11)
        assert list(await engine.gone(numbered(1))) == [None]
        assert await engine.purge(10, tombstone_seconds=100) == 1
        assert list(await engine.gone(numbered(1, NEVER))) == [Tombstone(owner=None), None]
        await clock.advance(98)
        assert list(await engine.gone(numbered(1))) == [Tombstone(owner=None)]
        assert await engine.purge(10, tombstone_seconds=100) == 0
        assert list(await engine.gone(numbered(1))) == [Tombstone(owner=None)]
        await clock.advance(2)
        assert list(await engine.gone(numbered(1))) == [None]
        assert await engine.purge(10, tombstone_seconds=100) == 0
        assert list(await engine.gone(numbered(1))) == [None]

    async def test_a_late_purge_leaves_no_longer_a_tombstone(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """The time counts from the promise, not from the purge."""
        end = an_end(await take_new(engine, 1), JobState.SUCCEEDED, START, expires=START + 10)
        await settle(engine, end)
        await clock.advance(111)
        assert await engine.purge(10, tombstone_seconds=100) == 1
        assert list(await engine.gone(numbered(1))) == [None]

    async def test_a_tombstone_says_whose_job_it_was(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """So that it is gone to its owner alone."""
        await engine.accept([a_job(1, owner="ada"), a_job(2)])
        for held in await take(engine, 2):
            await settle(engine, an_end(held, JobState.SUCCEEDED, START, expires=START + 10))
        await clock.advance(11)
        assert await engine.purge(10, tombstone_seconds=100) == 2
        left = list(await engine.gone(numbered(2, 1)))
        assert left == [Tombstone(owner=None), Tombstone(owner="ada")]

    async def test_what_is_there_is_not_gone(self, engine: Engine) -> None:
        """Waiting, ended or hidden: there is a record."""
        await settle(engine, an_end(await take_new(engine, 1), JobState.SUCCEEDED, START))
        await engine.accept([a_job(2)])
        await engine.hide(numbered(1))
        assert list(await engine.gone(numbered(1, 2))) == [None, None]

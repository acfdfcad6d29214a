"""Shares: what processes hold of limits for calls, beside the claims of jobs."""

from __future__ import annotations

import pytest

from ..contract import Engine
from ..limits import LimitUse, Share
from ..virtual_clock import VirtualClock
from .cases_limits import SHARE_SECONDS, a_rate, a_rule, accept, end, hold, use_of
from .harness import EngineHarness, soon, while_waiting
from .samples import ready, take


class ShareCases(EngineHarness):
    """What `share` promises."""

    async def test_shares_and_claims_are_one_limit(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """What calls hold is not claimed, what was claimed is not held."""
        await accept(engine, 9)
        assert (await hold(engine, 2)).slots == 2
        (held,) = await take(engine, 9, limits=[a_rule()])
        assert (await hold(engine, 3)).slots == 2
        await end(engine, held, clock)
        assert (await hold(engine, 3)).slots == 3
        assert not await take(engine, 9, limits=[a_rule()])
        assert await use_of(engine) == LimitUse(name="db", held=3, started=1)

    async def test_a_share_given_back_wakes_who_waits(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """Jobs that waited for its place are ready."""
        await accept(engine, 2)
        await hold(engine, 2)
        assert len(await take(engine, 9, limits=[a_rule()])) == 1
        assert not await take(engine, 9, limits=[a_rule()])
        waiting = ready(engine, ["place_order"], 30, limits=[a_rule()])
        task = await while_waiting(clock, waiting)
        assert (await hold(engine, 0)).slots == 0
        assert list(await soon(task)) == ["place_order"]

    async def test_what_is_in_use_is_held_whatever_the_limit(self, engine: Engine) -> None:
        """A handler that outlived its attempt counts, and nothing starts in its place."""
        await accept(engine, 9)
        assert len(await take(engine, 3, limits=[a_rule()])) == 3
        assert (await hold(engine, 5, in_use=2)).slots == 2
        assert (await use_of(engine)).held == 2

    async def test_reserved_places_are_for_calls(self, engine: Engine) -> None:
        """Claims leave them alone; calls may hold more than those."""
        rule = a_rule(reserved=2)
        await accept(engine, 9)
        assert len(await take(engine, 9, limits=[rule])) == 1
        assert (await hold(engine, 3, rule)).slots == 2

    @pytest.mark.parametrize(("reserved", "fair"), [(0, 2), (1, 1)])
    async def test_calls_come_down_for_jobs_that_wait(
        self, engine: Engine, clock: VirtualClock, reserved: int, fair: int
    ) -> None:
        """To half of the limit, or to what is reserved for them; and only while jobs wait."""
        rule = a_rule(in_flight=4, reserved=reserved)
        assert await hold(engine, 4, rule) == Share(slots=4, starts=0)
        await accept(engine, 1)
        assert list(await ready(engine, ["place_order"], 0, limits=[rule])) == ["place_order"]
        assert not await take(engine, 9, limits=[rule])
        assert not await ready(engine, ["place_order"], 0, limits=[rule])
        assert await hold(engine, 4, rule, in_use=3) == Share(slots=3, starts=0, fair=fair)
        assert (await hold(engine, 4, rule)).slots == fair
        assert len(await take(engine, 9, limits=[rule])) == 1
        await clock.advance(60)
        assert await hold(engine, 4, rule) == Share(slots=3, starts=0)

    async def test_jobs_leave_half_to_calls_that_wait(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """Once a call found no place, and only for a while."""
        await accept(engine, 9)
        first, *_ = await take(engine, 9, limits=[a_rule()])
        assert (await hold(engine, 1)).slots == 0
        await end(engine, first, clock)
        assert not await take(engine, 9, limits=[a_rule()])
        assert (await hold(engine, 1)).slots == 1
        await hold(engine, 0)
        await clock.advance(60)
        assert len(await take(engine, 9, limits=[a_rule()])) == 1

    async def test_a_share_lapses(self, engine: Engine, clock: VirtualClock) -> None:
        """Unless it is extended."""
        await accept(engine, 9)
        await hold(engine, 3)
        await clock.advance(SHARE_SECONDS - 1)
        await hold(engine, 3)
        await clock.advance(2)
        assert not await take(engine, 9, limits=[a_rule()])
        await clock.advance(SHARE_SECONDS)
        assert len(await take(engine, 9, limits=[a_rule()])) == 3

    async def test_starts_are_drawn_from_the_same_bucket(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """As many as there are; those unused are put back."""
        await accept(engine, 9)
        drawn = await hold(engine, rule=a_rate(), starts=5)
        assert drawn.starts == 2
        later = await hold(engine, rule=a_rate(), starts=1)
        assert later.starts == 0
        assert later.wait_seconds == pytest.approx(0.1)
        assert not await take(engine, 9, limits=[a_rate()])
        await hold(engine, rule=a_rate(), unused=1)
        assert len(await take(engine, 9, limits=[a_rate()])) == 1
        await clock.advance(0.1)
        assert (await hold(engine, rule=a_rate(), starts=5)).starts == 1

"""Limits: claims hold to them over all operations and engines, with the shares held for calls."""

from __future__ import annotations

from typing import Any

import pytest

from ...job import JobState
from ..contract import Engine
from ..limits import Lesson, LimitRule, LimitUse, Share, ShareWish
from ..values import Delivery
from ..virtual_clock import VirtualClock
from .harness import EngineHarness, as_time_passes, soon, while_waiting
from .samples import LEASE_SECONDS, a_job, an_end, ids, numbered, ready, settle, take

SHARE_SECONDS = 20.0


def a_rule(**changes: Any) -> LimitRule:
    """A limit of three attempts at once."""
    values: dict[str, Any] = {"name": "db", "in_flight": 3}
    return LimitRule(**values | changes)


def a_rate(per_second: float = 10.0, burst: float = 2.0, **changes: Any) -> LimitRule:
    """A limit of starts alone."""
    return LimitRule(name="db", per_second=per_second, burst=burst, **changes)


async def hold(engine: Engine, slots: int = 0, rule: LimitRule | None = None, **more: Any) -> Share:
    """Wish for a share of one limit."""
    wish = ShareWish(limit=rule or a_rule(), slots=slots, lease_seconds=SHARE_SECONDS, **more)
    (share,) = await engine.share([wish])
    return share


async def use_of(engine: Engine, name: str = "db") -> LimitUse:
    """What is in use of a limit."""
    (use,) = await engine.limits([name])
    return use


async def accept(engine: Engine, count: int, first: int = 1, **changes: Any) -> None:
    """Accept this many sample jobs."""
    await engine.accept([a_job(number, **changes) for number in range(first, first + count)])


async def end(engine: Engine, held: Delivery, clock: VirtualClock, **changes: Any) -> None:
    """Succeed."""
    await settle(engine, an_end(held, JobState.SUCCEEDED, clock.now(), **changes))


class LimitCases(EngineHarness):
    """What `receive`, `ready` and `limits` promise of limits."""

    async def test_no_more_run_at_once_than_the_limit(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """Nor after several claims; each end makes room for one."""
        await accept(engine, 6)
        held = [
            *await take(engine, 2, limits=[a_rule()]),
            *await take(engine, 9, limits=[a_rule()]),
        ]
        assert ids(held) == numbered(1, 2, 3)
        assert not await take(engine, 9, limits=[a_rule()])
        await end(engine, held[1], clock)
        assert ids(await take(engine, 9, limits=[a_rule()])) == numbered(4)

    async def test_operations_share_a_limit_by_its_name(self, engine: Engine) -> None:
        """Another operation's attempts count, another limit's do not."""
        await accept(engine, 2)
        await accept(engine, 5, first=11, operation="send_mail")
        await take(engine, 2, limits=[a_rule()])
        other = await take(engine, 9, operation="send_mail", limits=[a_rule()])
        assert ids(other) == numbered(11)
        apart = await take(engine, 9, operation="send_mail", limits=[a_rule(name="mail")])
        assert ids(apart) == numbered(12, 13, 14)

    async def test_several_limits_hold_together(self, engine: Engine, clock: VirtualClock) -> None:
        """The tightest decides, and every one of them counts."""
        await accept(engine, 6)
        both = [a_rule(in_flight=2), a_rule(name="wide", in_flight=4)]
        (held, _) = await take(engine, 9, limits=both)
        assert (await use_of(engine, "wide")).running == 2
        assert len(await take(engine, 9, limits=both[1:])) == 2
        await end(engine, held, clock)
        assert (await use_of(engine)).running == 1
        assert (await use_of(engine, "wide")).running == 3

    @pytest.mark.parametrize("state", [JobState.SUCCEEDED, JobState.RETRYING, JobState.QUEUED])
    async def test_whatever_ends_an_attempt_frees_its_place(
        self, engine: Engine, clock: VirtualClock, state: JobState
    ) -> None:
        """An end, a retry and a job given back alike."""
        await accept(engine, 1)
        (held,) = await take(engine, limits=[a_rule(in_flight=1)])
        due = clock.now() + 60 if state is JobState.RETRYING else None
        changes = {"due": due} if due else {}
        await settle(engine, an_end(held, state, clock.now(), **changes))
        assert (await use_of(engine)).running == 0

    async def test_a_lapsed_lease_keeps_its_place_until_it_is_settled(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """The reaper's settlement frees what a dead worker held."""
        await accept(engine, 2)
        await take(engine, 1, limits=[a_rule(in_flight=1)])
        await clock.advance(LEASE_SECONDS + 1)
        (lost,) = await engine.overdue(10, LEASE_SECONDS)
        assert not await take(engine, limits=[a_rule(in_flight=1)])
        await settle(engine, an_end(lost, JobState.QUEUED, clock.now()))
        assert len(await take(engine, limits=[a_rule(in_flight=1)])) == 1

    async def test_a_rate_is_a_bucket_of_starts(self, engine: Engine, clock: VirtualClock) -> None:
        """A burst, then one start each 1/rate; an end gives no start back."""
        await accept(engine, 9)
        held = await take(engine, 9, limits=[a_rate()])
        assert len(held) == 2
        await end(engine, held[0], clock)
        assert not await take(engine, 9, limits=[a_rate()])
        await clock.advance(0.1)
        assert len(await take(engine, 9, limits=[a_rate()])) == 1
        await clock.advance(60)
        assert len(await take(engine, 9, limits=[a_rate()])) == 2
        assert (await use_of(engine)).started == 5

    async def test_a_clock_set_back_does_not_stop_a_rate(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """Starts are gained from then on, not from where the clock was."""
        await accept(engine, 9, deadline=clock.now() + 3600)
        await take(engine, 9, limits=[a_rate()])
        await clock.advance(-60)
        await engine.accept([a_job(20, created=clock.now())])
        assert not await take(engine, 9, limits=[a_rate()])
        await clock.advance(0.1)
        assert ids(await take(engine, 9, limits=[a_rate()])) == numbered(20)

    async def test_ready_waits_for_the_rate(self, engine: Engine, clock: VirtualClock) -> None:
        """What may not start yet is not ready; it is as soon as it may."""
        await accept(engine, 3)
        await take(engine, 9, limits=[a_rate()])
        assert not await ready(engine, ["place_order"], 0, limits=[a_rate()])
        waiting = ready(engine, ["place_order"], 30, limits=[a_rate()])
        task = await while_waiting(clock, waiting)
        assert list(await as_time_passes(clock, task, 1)) == ["place_order"]

    async def test_an_end_wakes_who_waits_for_a_place(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """A full limit is not ready until an attempt ends."""
        await accept(engine, 2)
        (held,) = await take(engine, 9, limits=[a_rule(in_flight=1)])
        waiting = ready(engine, ["place_order"], 30, limits=[a_rule(in_flight=1)])
        task = await while_waiting(clock, waiting)
        await end(engine, held, clock)
        assert list(await soon(task)) == ["place_order"]

    async def test_a_limit_that_nobody_used_is_told_as_unused(self, engine: Engine) -> None:
        """And `limits` without names tells of those that were used."""
        assert await use_of(engine, "never") == LimitUse(name="never")
        await accept(engine, 1)
        await take(engine, limits=[a_rule()])
        assert [use.name for use in await engine.limits()] == ["db"]

    async def test_what_was_learnt_moves_only_from_where_it_was_seen(self, engine: Engine) -> None:
        """The first of two who saw the same wins; the other one is told."""
        assert (await use_of(engine)).learned is None
        first = Lesson(limit="db", seen=None, learned=b"1")
        other = Lesson(limit="db", seen=None, learned=b"2")
        assert list(await engine.learn([first, other])) == [True, False]
        assert (await use_of(engine)).learned == b"1"
        await accept(engine, 1)
        await take(engine, limits=[a_rule()])
        assert list(await engine.learn([Lesson(limit="db", seen=b"1", learned=b"3")])) == [True]
        use = await use_of(engine)
        assert (use.learned, use.running) == (b"3", 1)

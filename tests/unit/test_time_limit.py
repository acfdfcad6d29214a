"""One timer for all that run under the same limit of time."""

import asyncio
import gc
import weakref
from contextvars import ContextVar, copy_context

import pytest

from eitherway.clock import SystemClock
from eitherway.engine.virtual_clock import VirtualClock
from eitherway.time_limit import TimeLimit


class Running:
    """Notes when it was told."""

    def __init__(self, clock):
        self._clock = clock
        self._began = clock.monotonic()
        self.told_after = []

    def run_out(self):
        self.told_after.append(self._clock.monotonic() - self._began)


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def limit(clock):
    return TimeLimit(clock, 10)


def begun(limit, clock):
    running = Running(clock)
    limit.begin(running)
    return running


def begun_with_a_variable(limit, clock):
    held = Running(clock)
    ContextVar("variable").set(held)
    return begun(limit, clock), weakref.ref(held)


def timers(clock):
    return [timer for *_, timer in clock._timers if timer.callback is not None]


async def test_each_is_told_at_its_own_time(limit, clock):
    """Whenever it began, and once."""
    first = begun(limit, clock)
    await clock.advance(4)
    second, third = begun(limit, clock), begun(limit, clock)
    await clock.advance(5)
    assert (first.told_after, second.told_after) == ([], [])
    await clock.advance(30)
    fourth = begun(limit, clock)
    await clock.advance(30)
    assert [one.told_after for one in (first, second, third, fourth)] == [[10]] * 4
    assert timers(clock) == []


async def test_what_has_ended_is_not_told(limit, clock):
    """Nor is anybody else kept from it."""
    first, second = begun(limit, clock), begun(limit, clock)
    await clock.advance(1)
    limit.end(first)
    limit.end(first)
    await clock.advance(30)
    assert (first.told_after, second.told_after) == ([], [10])


async def test_the_timer_keeps_nothing_of_who_began_first():
    """Its context variables go when it goes, though others run under the limit."""
    clock = SystemClock()
    limit = TimeLimit(clock, 60)
    first, kept = copy_context().run(begun_with_a_variable, limit, clock)
    second = begun(limit, clock)
    await asyncio.sleep(0)  # the timer is set
    limit.end(first)
    gc.collect()
    assert kept() is None
    limit.end(second)


async def test_what_ends_within_a_turn_takes_no_timer(limit, clock):
    """Of the loop, as most handlers do that wait for nothing."""
    limit.end(begun(limit, clock))
    await clock.let_run()
    assert timers(clock) == []


async def test_there_is_one_timer_and_none_once_all_have_ended(limit, clock):
    """However many run."""
    many = [begun(limit, clock) for _ in range(5)]
    await clock.advance(1)
    many.append(begun(limit, clock))
    await clock.let_run()
    assert len(timers(clock)) == 1
    for one in many:
        limit.end(one)
    assert timers(clock) == []
    last = begun(limit, clock)
    await clock.advance(10)
    assert last.told_after == [10]


async def test_no_time_is_over_at_once(clock):
    """As where a job's deadline has passed."""
    running = begun(TimeLimit(clock, 0), clock)
    assert running.told_after == []
    await asyncio.sleep(0)
    assert running.told_after == [0]

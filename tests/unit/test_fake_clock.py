"""The clock that tests are given moves when it is told to, and only then."""

import asyncio

import pytest

from eitherway.testing.clock import FakeClock


async def test_time_stands_still() -> None:
    clock = FakeClock(100.0)
    await clock.let_run()
    assert clock.now() == 100.0


async def test_timers_run_at_their_time_in_order() -> None:
    clock = FakeClock(100.0)
    told = []
    for delay in (3, 1, 2, 1):
        clock.call_later(delay, lambda delay=delay: told.append((delay, clock.now())))
    await clock.advance(2.5)
    assert told == [(1, 101.0), (1, 101.0), (2, 102.0)]
    assert clock.now() == 102.5
    await clock.advance(0.5)
    assert told[-1] == (3, 103.0)


async def test_what_a_timer_wakes_runs_before_the_next_timer() -> None:
    clock = FakeClock(100.0)
    told = []

    async def every_second(name: str) -> None:
        for _ in range(3):
            await clock.wait(asyncio.get_running_loop().create_future(), 1)
            told.append((name, clock.now()))

    tasks = [asyncio.create_task(every_second(name)) for name in "ab"]
    await clock.advance(10)
    assert told == [(name, at) for at in (101.0, 102.0, 103.0) for name in "ab"]
    assert all(task.done() for task in tasks)


async def test_a_canceled_timer_does_not_run() -> None:
    clock = FakeClock()
    told = []
    timer = clock.call_later(1, lambda: told.append("canceled"))
    clock.call_later(1, lambda: told.append("kept"))
    timer.cancel()
    await clock.advance(1)
    timer.cancel()
    assert told == ["kept"]


@pytest.mark.parametrize("delay", [0, -1])
async def test_no_delay_needs_no_advance(delay: float) -> None:
    clock = FakeClock()
    told = []
    clock.call_later(delay, lambda: told.append("now"))
    await clock.let_run()
    assert told == ["now"]


async def test_wait_ends_with_its_time_or_its_future() -> None:
    clock = FakeClock()
    future = asyncio.get_running_loop().create_future()
    timed = asyncio.create_task(clock.wait(future, 5))
    await clock.advance(4.5)
    assert not timed.done()
    await clock.advance(0.5)
    assert await timed is False

    woken = asyncio.create_task(clock.wait(future, 5))
    await clock.let_run()
    future.set_result(None)
    assert await woken is True


async def test_armed_says_that_somebody_waits() -> None:
    clock = FakeClock()
    armed = asyncio.create_task(clock.armed())
    await clock.let_run()
    assert not armed.done()
    timer = clock.call_later(5, lambda: None)
    await armed
    timer.cancel()
    again = asyncio.create_task(clock.armed())
    await clock.let_run()
    assert not again.done()
    again.cancel()

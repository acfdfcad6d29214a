"""Attempts that end in one turn of the event loop are settled together, and each for itself."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from eitherway import JobState, TransitionError
from eitherway.attempt.settler import Settler
from eitherway.engine.conformance.samples import START, a_job, an_end, get_one, take
from eitherway.engine.values import Settlement, SettleStatus
from eitherway.engine.virtual_clock import VirtualClock
from eitherway.engines.sqlite.engine import SqliteEngine


@asynccontextmanager
async def three_held(clock=None):
    """An engine that tells its steps, and three jobs under lease."""
    steps = []
    clock = clock or VirtualClock(START)
    engine = SqliteEngine(clock=clock, at_step=steps.append)
    await engine.open()
    await engine.accept([a_job(1), a_job(2), a_job(3)])
    held = sorted(await take(engine), key=lambda one: one.job.id)
    yield Settler(engine, clock), engine, held, steps
    await engine.close()


def end(held, state=JobState.SUCCEEDED):
    return lambda now: Settlement(finish=an_end(held, state, now))


async def test_one_turn_is_one_settlement_of_the_engine():
    """However many attempts end in it."""
    async with three_held() as (settler, _, held, steps):
        settled = await asyncio.gather(*(settler.settle(end(one)) for one in held))
    assert [one.status for one in settled] == [SettleStatus.DONE] * 3
    assert steps.count("settle.begun") == 1


async def test_one_turn_is_one_time():
    """The turn's end: what is alike is then stored as one."""
    clock = VirtualClock(START)
    async with three_held(clock) as (settler, engine, held, _):
        first = settler.settle(end(held[0]))
        await asyncio.sleep(0)
        others = [settler.settle(end(one)) for one in held[1:]]
        clock.set_by(5)
        await asyncio.gather(first, *others)
        ends = [(await get_one(engine, number)).finished for number in (1, 2, 3)]
    assert ends == [START, START + 5, START + 5]


async def test_a_mistake_of_the_one_who_judges_is_not_the_others():
    """Whoever waits for it is told; the rest of the turn is settled."""

    def wrong(now):
        raise LookupError(now)

    async with three_held() as (settler, _, held, _):
        waiting = [settler.settle(wrong), settler.settle(end(held[0]))]
        mistake, settled = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(mistake, LookupError)
        assert settled.status is SettleStatus.DONE
        with pytest.raises(LookupError):
            await settler.settle(wrong)  # alone in its turn: there is nothing to settle


async def test_one_attempts_mistake_is_not_the_others():
    """The engine refuses the call; each is then settled on its own."""
    async with three_held() as (settler, engine, held, _):
        waiting = [
            settler.settle(end(held[0])),
            settler.settle(end(held[1], JobState.SCHEDULED)),
            settler.settle(end(held[2])),
        ]
        first, wrong, last = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(wrong, TransitionError)
        assert first.status is last.status is SettleStatus.DONE
        assert (await get_one(engine, 2)).state is JobState.RUNNING


async def test_a_mistake_of_one_who_is_told_is_not_the_others():
    """It is told of that, too; the rest of the turn hears what became of it."""

    class Clumsy:
        stopped = False

        def __init__(self, held):
            self.settlement = end(held)
            self.heard = None

        def settled(self, became):
            raise LookupError(became)

        def unsettled(self, error):
            self.heard = error

    async with three_held() as (settler, engine, held, _):
        clumsy = Clumsy(held[0])
        settler.add(clumsy)
        settled = await settler.settle(end(held[1]))
        assert settled.status is SettleStatus.DONE
        assert isinstance(clumsy.heard, LookupError)
        assert (await get_one(engine, 1)).state is JobState.SUCCEEDED


async def test_who_is_cancelled_has_not_taken_it_back():
    """What was handed over is settled, whether somebody waits or not."""
    async with three_held() as (settler, engine, held, _):
        waiting = asyncio.ensure_future(asyncio.wait_for(settler.settle(end(held[0])), 60))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await settler.settle(end(held[1]))
        assert (await get_one(engine, 1)).state is JobState.SUCCEEDED

"""Shares while their store is slow to answer: what happens meanwhile must not break the limit."""

import asyncio

import pytest

from eitherway import Limit
from eitherway.attempt.limits import Limiter
from eitherway.engine.conformance.samples import a_demand, a_job
from eitherway.engines.sqlite.engine import SqliteEngine
from eitherway.operation import Operation
from eitherway.testing import FakeClock


class SlowToAnswer(SqliteEngine):
    """Does what it is asked at once; its answers to `share` come when `go` is set."""

    def __init__(self, path, *, clock):
        super().__init__(path, clock=clock)
        self.go = asyncio.Event()
        self.go.set()
        self.asked = asyncio.Semaphore(0)

    async def share(self, wishes):
        """As the store has it, but later."""
        shares = await super().share(wishes)
        self.asked.release()
        await self.go.wait()
        return shares

    async def until_asked(self):
        """Return once another wish has been granted, of which the limiter does not know."""
        await asyncio.wait_for(self.asked.acquire(), 10)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
async def engine(clock, tmp_path):
    engine = SlowToAnswer(tmp_path / "jobs.db", clock=clock)
    await engine.open()
    yield engine
    await engine.close()


async def handler() -> None: ...


LIMITED = Operation(name="a", handler=handler, limits=(Limit("db", in_flight=4),))


@pytest.fixture
def limiter(engine, clock):
    return Limiter([LIMITED], engine, clock)


async def started(limiter, count):
    """What so many calls took, all of which found room."""
    taken = await asyncio.gather(*(limiter.acquire(LIMITED, {}) for _ in range(count)))
    assert None not in taken
    return taken


async def jobs_wait(engine, limiter):
    """A job has come, and found no place: calls are to come down to half of the limit."""
    await engine.accept([a_job(number, operation="a") for number in range(9)])
    assert not await engine.receive([a_demand(9, operation="a", limits=limiter.rules(LIMITED))])


async def in_flight(engine, limiter):
    """Calls that are in use here, and all the jobs that may run beside them."""
    demand = a_demand(9, operation="a", limits=limiter.rules(LIMITED))
    deliveries = await engine.receive([demand])
    (stock,) = limiter._shares._stocks.values()
    return stock.used + len(deliveries)


async def test_a_call_that_starts_before_the_answer_counts(engine, limiter, clock):
    """It takes what the process is about to be told to give up: the store has kept it."""
    first, second, *_ = await started(limiter, 4)
    await jobs_wait(engine, limiter)
    limiter.release(first)
    limiter.release(second)
    await engine.until_asked()
    engine.go.clear()
    await clock.advance(1)
    await engine.until_asked()
    calls = [asyncio.ensure_future(limiter.acquire(LIMITED, {})) for _ in range(2)]
    await clock.let_run()
    engine.go.set()
    await asyncio.wait(calls, timeout=10)
    assert calls[0].result() is not None, "there was room, so it asked nobody"
    assert await in_flight(engine, limiter) <= 4


async def test_an_answer_is_taken_in_before_another_wish(engine, limiter, clock):
    """A call that asks for more waits for the answer to what was asked before."""
    await started(limiter, 1)
    await engine.until_asked()
    engine.go.clear()
    await clock.advance(1)
    await engine.until_asked()
    calls = [asyncio.ensure_future(limiter.acquire(LIMITED, {})) for _ in range(3)]
    await clock.let_run()
    assert engine.asked.locked(), "one wish is under way"
    engine.go.set()
    taken = await asyncio.gather(*calls)
    assert None not in taken
    assert await in_flight(engine, limiter) == 4

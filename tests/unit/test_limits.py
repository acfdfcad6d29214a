"""Limits as direct calls meet them: shared with the queue, taken in blocks, given back."""

import asyncio

import pytest

from eitherway import App, ConfigurationError, Limit
from eitherway.attempt.limits import Limiter
from eitherway.attempt.stock import LEASE_SECONDS
from eitherway.engine.conformance.samples import a_demand, a_job
from eitherway.engines.sqlite.engine import SqliteEngine
from eitherway.operation import Operation
from eitherway.testing import FakeClock, TestApp


def operation(name, *limits):
    async def handler() -> None: ...

    return Operation(name=name, handler=handler, limits=limits)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
async def engine(clock, tmp_path):
    engine = SqliteEngine(tmp_path / "jobs.db", clock=clock)
    await engine.open()
    yield engine
    await engine.close()


@pytest.fixture
async def other_process(clock, tmp_path):
    engine = SqliteEngine(tmp_path / "jobs.db", clock=clock)
    await engine.open()
    yield lambda *operations: Limiter(operations, engine, clock)
    await engine.close()


@pytest.fixture
def limiter(engine, clock):
    return lambda *operations: Limiter(operations, engine, clock)


async def started(limiter, operation, count, **keys):
    """What was taken by as many of the calls as found room, all at once."""
    calls = (limiter.acquire(operation, keys) for _ in range(count))
    return [taken for taken in await asyncio.gather(*calls) if taken is not None]


async def in_use(engine, name="db"):
    (use,) = await engine.limits([name])
    return use.running + use.held


async def pass_time(engine, clock, seconds):
    """Second by second, each with what it makes the limiter do."""
    for _ in range(seconds):
        await clock.advance(1)
        await engine.purge(0)  # the writer has done what was asked before


async def test_operations_that_name_a_limit_share_it(limiter):
    """Whoever starts first leaves less for the other."""
    first, second = (
        operation("a", Limit("db", in_flight=3)),
        operation("b", Limit("db", in_flight=3)),
    )
    limits = limiter(first, second)
    assert len(await started(limits, first, 2)) == 2
    (taken,) = await started(limits, second, 2)
    limits.release(taken)
    assert len(await started(limits, first, 2)) == 1


async def test_processes_share_a_limit(limiter, other_process, engine):
    """Another limiter on the store gets what the first one leaves."""
    one, other = operation("a", Limit("db", in_flight=4)), operation("a", Limit("db", in_flight=4))
    here, there = limiter(one), other_process(other)
    assert len(await started(here, one, 2)) == 2
    assert len(await started(there, other, 9)) == 1, "the first one holds one more than it uses"
    assert await in_use(engine) == 4


async def test_limits_without_a_name_are_apart(limiter):
    """Each belongs to the operation it was given to first, by whatever object."""
    first, second = operation("a", Limit(in_flight=1)), operation("b", Limit(in_flight=1))
    limits = limiter(first, second)
    assert len(await started(limits, first, 3)) == len(await started(limits, second, 3)) == 1
    assert [rule.name for rule in limits.rules(first)] == ["(a)"]


async def test_a_limit_given_to_several_operations_is_one(limiter):
    """Also without a name."""
    limit = Limit(in_flight=1)
    first, second = operation("a", limit), operation("b", limit)
    limits = limiter(first, second)
    assert len(await started(limits, first, 1)) == 1
    assert not await started(limits, second, 1)


async def test_a_list_of_limits_holds_together(limiter):
    """The tighter one decides, and both are taken."""
    tight, wide = Limit("tight", in_flight=1), Limit("wide", in_flight=2)
    both, one = operation("both", tight, wide), operation("one", wide)
    limits = limiter(both, one)
    (taken,) = await started(limits, both, 9)
    assert len(await started(limits, one, 9)) == 1
    limits.release(taken)
    assert len(await started(limits, both, 9)) == 1


async def test_a_call_on_what_is_here_asks_nobody(limiter, engine):
    """Within its share a process needs no store: one that is gone does not matter."""
    limited = operation("a", Limit("db", in_flight=10))
    limits = limiter(limited)
    for taken in await started(limits, limited, 4):
        limits.release(taken)
    await engine.close()
    for _ in range(4):
        assert await limits.acquire(limited, {}) is not None


async def test_a_refused_call_does_not_ask_again_at_once(limiter, other_process, clock):
    """Overload is answered from memory, for 20 ms."""
    limited = operation("a", Limit("db", in_flight=1))
    limits, other = limiter(limited), other_process(limited)
    (held,) = await started(other, limited, 1)
    assert await limits.acquire(limited, {}) is None
    other.release(held)
    await other.return_idle()
    assert await limits.acquire(limited, {}) is None
    await clock.advance(0.02)
    assert await limits.acquire(limited, {}) is not None


async def test_a_rate_gives_starts_back_with_time(limiter, clock):
    """A burst of 5 % of a second, then one start each 1/rate."""
    rated = operation("rated", Limit("db", per_second=100))
    limits = limiter(rated)
    assert sum([len(await started(limits, rated, 1)) for _ in range(9)]) == 5
    assert limits.retry_after_seconds(rated, {}) == pytest.approx(0.01)
    await clock.advance(0.021)
    assert sum([len(await started(limits, rated, 1)) for _ in range(9)]) == 2
    await clock.advance(60)
    assert len(await started(limits, rated, 1)) == 1


async def test_starts_are_not_hoarded(limiter, engine, clock):
    """Those drawn and not used are put back when they are stale."""
    rated = operation("rated", Limit("db", per_second=100), Limit("one", in_flight=1))
    limits = limiter(rated)
    (taken,) = await started(limits, rated, 3)
    assert (await engine.limits(["db"]))[0].started == 3, "drawn for three, used by one"
    limits.release(taken)
    await clock.advance(0.2)
    assert len(await started(limits, rated, 1)) == 1
    assert (await engine.limits(["db"]))[0].started == 2


async def test_each_key_has_the_limit_by_itself(limiter):
    """One key without room leaves another's calls alone."""

    async def handler(customer: str) -> None: ...

    limit = Limit("db", in_flight=1, key=lambda customer: customer)
    keyed = Operation(name="keyed", handler=handler, limits=[limit])
    limits = limiter(keyed)
    assert len(await started(limits, keyed, 2, db="a")) == 1
    assert len(await started(limits, keyed, 2, db="b")) == 1


async def test_the_direct_share_is_kept_from_the_queue(limiter, engine):
    """Claims leave it alone, of places and of starts; calls may have more."""
    limited = operation("a", Limit("db", in_flight=4, per_second=100, direct_share=0.5))
    limits = limiter(limited)
    await engine.accept([a_job(number, operation="a") for number in range(1, 10)])
    demand = a_demand(9, operation="a", limits=limits.rules(limited))
    assert len(await engine.receive([demand])) == 2
    assert limits.rules(limited)[0].per_second == 50
    assert len(await started(limits, limited, 4)) == 2


async def test_calls_come_down_as_they_end_while_jobs_wait(limiter, engine, clock):
    """To half of the limit, at once: not when the next second is over."""
    limited = operation("a", Limit("db", in_flight=4))
    limits = limiter(limited)
    taken = await started(limits, limited, 4)
    await engine.accept([a_job(1, operation="a")])
    demand = a_demand(9, operation="a", limits=limits.rules(limited))
    assert not await engine.receive([demand])
    await pass_time(engine, clock, 1)
    assert await limits.acquire(limited, {}) is None
    for one in taken[:2]:
        limits.release(one)
    await clock.let_run()
    await engine.purge(0)
    assert await in_use(engine) == 2
    assert len(await engine.receive([demand])) == 1


async def test_idle_shares_are_given_back(limiter, engine, clock):
    """A second after the last call, but for an eighth, which stays for a minute."""
    limited = operation("a", Limit("db", in_flight=16))
    limits = limiter(limited)
    for taken in await started(limits, limited, 8):
        limits.release(taken)
    assert await in_use(engine) == 12
    await pass_time(engine, clock, 3)
    assert await in_use(engine) == 2
    await pass_time(engine, clock, 62)
    assert await in_use(engine) == 0
    assert not clock._timers, "nothing to tend, nothing to wake up for"


async def test_shares_are_extended_while_they_are_used(limiter, engine, clock):
    """A long call keeps its place; and a process that could not extend gives out no more."""
    limited = operation("a", Limit("db", in_flight=2))
    limits = limiter(limited)
    await started(limits, limited, 1)
    await pass_time(engine, clock, 3 * round(LEASE_SECONDS))
    assert await in_use(engine) == 1
    await engine.close()
    await clock.advance(LEASE_SECONDS + 1)
    await engine.open()
    assert len(await started(limits, limited, 9)) == 1


async def test_closing_gives_everything_back(limiter, engine):
    """A process that ends leaves its share to the others at once."""
    limited = operation("a", Limit("db", in_flight=2))
    limits = limiter(limited)
    await started(limits, limited, 2)
    await limits.close()
    assert await in_use(engine) == 0


async def test_a_limit_at_work_can_be_adjusted(limiter):
    """What is not given stays; whoever waits for the queue looks again."""
    limited = operation("a", Limit("db", in_flight=2, per_second=100))
    limits = limiter(limited)
    changed = limits.changed()
    adjusted = limits.adjust("db", in_flight=3)
    assert (adjusted.in_flight, adjusted.per_second) == (3, 100)
    assert changed.done()
    assert limits.rules(limited)[0].in_flight == 3
    assert len(await started(limits, limited, 9)) == 3


def test_only_a_named_limit_can_be_adjusted(clock):
    """And only to what a Limit takes."""
    limiter = Limiter([operation("a", Limit("db", in_flight=2))], SqliteEngine(clock=clock), clock)
    with pytest.raises(LookupError, match="'queue'"):
        limiter.adjust("queue", in_flight=1)
    with pytest.raises(ConfigurationError):
        limiter.adjust("db", in_flight=0)


def test_two_limits_of_one_name_must_agree(clock):
    """Which of them holds would be a matter of order."""
    first = operation("a", Limit("db", in_flight=3))
    second = operation("b", Limit("db", in_flight=4))
    with pytest.raises(ConfigurationError, match="'db'"):
        Limiter([first, second], SqliteEngine(clock=clock), clock)


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({}, "needs in_flight"),
        ({"in_flight": 0}, "1 or more"),
        ({"per_second": 0}, "above 0"),
        ({"per_second": float("inf")}, "above 0"),
        ({"in_flight": 1, "name": "a b"}, "a name of"),
        ({"in_flight": 1, "key": "customer"}, "is a function"),
        ({"in_flight": 9, "key": len, "adaptive": True}, "leave key= out"),
        ({"in_flight": 9, "direct_share": 1.0}, "below 1"),
        ({"in_flight": 1, "direct_share": 0.5}, "larger in_flight"),
    ],
)
def test_numbers_that_hold_nothing_are_refused(settings, what):
    """When the limit is made."""
    with pytest.raises(ConfigurationError, match=what):
        Limit(**settings)


async def test_an_empty_list_is_no_limit():
    """More than the 64 that there are by default run at once."""
    app, begun, all_run = App("shop"), [], asyncio.Event()

    @app.post("/open", limit=[])
    async def handler() -> None:
        begun.append(None)
        if len(begun) == 100:
            all_run.set()
        await all_run.wait()

    async with TestApp(app) as shop:
        answers = await asyncio.gather(*(shop.request("POST", "/open") for _ in range(100)))
    assert {answer.status for answer in answers} == {200}

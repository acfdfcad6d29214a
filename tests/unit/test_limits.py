"""Limits: shared, counted, refilled."""

import pytest

from eitherway import ConfigurationError, Limit
from eitherway.attempt.limits import Limiter
from eitherway.operation import Operation
from eitherway.testing import FakeClock


def operation(name, *limits):
    async def handler() -> None: ...

    return Operation(name=name, handler=handler, limits=limits)


@pytest.fixture
def clock():
    return FakeClock()


def test_operations_that_name_a_limit_share_it(clock):
    """Whoever starts first leaves less for the other."""
    first, second = (
        operation("a", Limit("db", in_flight=3)),
        operation("b", Limit("db", in_flight=3)),
    )
    limiter = Limiter([first, second], clock)
    assert limiter.acquire(first, 2) == 2
    assert limiter.acquire(second, 2) == 1
    assert limiter.acquire(first) == 0
    limiter.release(second)
    assert limiter.room(first, clock.now()) == 1


def test_limits_without_a_name_are_apart(clock):
    """Each belongs to its operation."""
    first, second = operation("a", Limit(in_flight=1)), operation("b", Limit(in_flight=1))
    limiter = Limiter([first, second], clock)
    assert limiter.acquire(first) == limiter.acquire(second) == 1


def test_a_list_of_limits_holds_together(clock):
    """The tighter one decides, and both are taken."""
    tight, wide = Limit("tight", in_flight=1), Limit("wide", in_flight=5)
    both, one = operation("both", tight, wide), operation("one", wide)
    limiter = Limiter([both, one], clock)
    assert limiter.acquire(both, 9) == 1
    assert limiter.room(one, clock.now()) == 4


async def test_a_rate_gives_starts_back_with_time(clock):
    """A burst of 5 % of a second, then one start each 1/rate."""
    rated = operation("rated", Limit(per_second=100))
    limiter = Limiter([rated], clock)
    assert limiter.acquire(rated, 100) == 5
    limiter.release(rated, 5)
    assert limiter.acquire(rated) == 0
    assert limiter.retry_after_seconds(rated) == pytest.approx(0.01)
    await clock.advance(0.02)
    assert limiter.acquire(rated, 100) == 2
    limiter.release(rated, 1, unused=True)
    assert limiter.acquire(rated, 100) == 1
    await clock.advance(60)
    assert limiter.room(rated, clock.now()) == 5


async def test_freed_tells_who_waits(clock):
    """The future taken before looking is done by the next release."""
    narrow = operation("narrow", Limit(in_flight=1))
    limiter = Limiter([narrow], clock)
    limiter.acquire(narrow)
    freed = limiter.freed()
    assert not freed.done()
    limiter.release(narrow)
    assert freed.done()
    assert not limiter.freed().done()


async def test_a_limit_at_work_can_be_adjusted(clock):
    """What is taken stays taken; what is not given stays; whoever waits looks again."""
    limited = operation("a", Limit("db", in_flight=2, per_second=100))
    limiter = Limiter([limited], clock)
    assert limiter.acquire(limited, 9) == 2
    freed = limiter.freed()
    adjusted = limiter.adjust("db", in_flight=3)
    assert (adjusted.in_flight, adjusted.per_second) == (3, 100)
    assert freed.done()
    assert limiter.acquire(limited, 9) == 1
    limiter.adjust("db", in_flight=1)
    limiter.release(limited, 2)
    assert limiter.room(limited, clock.now()) == 0, "the one that still runs is all it may have"


async def test_an_adjusted_rate_gains_at_its_own_pace(clock):
    """Also from less than one a second, and the burst is the new one's."""
    limited = operation("a", Limit("db", per_second=1000))
    limiter = Limiter([limited], clock)
    limiter.adjust("db", per_second=10)
    assert limiter.acquire(limited, 99) == 1, "what the old rate had saved up is gone"
    await clock.advance(0.1)
    assert limiter.acquire(limited, 99) == 1


def test_only_a_named_limit_can_be_adjusted(clock):
    """And only to what a Limit takes."""
    limiter = Limiter([operation("a", Limit("db", in_flight=2))], clock)
    with pytest.raises(LookupError, match="'queue'"):
        limiter.adjust("queue", in_flight=1)
    with pytest.raises(ConfigurationError):
        limiter.adjust("db", in_flight=0)


def test_two_limits_of_one_name_must_agree(clock):
    """Which of them holds would be a matter of order."""
    first = operation("a", Limit("db", in_flight=3))
    second = operation("b", Limit("db", in_flight=4))
    with pytest.raises(ConfigurationError, match="'db'"):
        Limiter([first, second], clock)

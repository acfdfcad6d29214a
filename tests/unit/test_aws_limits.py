"""Limits of the engine on AWS over several processes: what they share, and at what price."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import combinations
from random import Random
from typing import Any

import pytest

from eitherway.engine.cancellation import Cancellation
from eitherway.engine.conformance.cases_limits import (
    SHARE_SECONDS,
    a_rate,
    a_rule,
    accept,
    end,
    hold,
    use_of,
)
from eitherway.engine.conformance.samples import LEASE_SECONDS, START, an_end, settle, take
from eitherway.engine.values import Extension
from eitherway.engine.virtual_clock import VirtualClock
from eitherway.engines.aws import limits
from eitherway.engines.aws.engine import AwsEngine
from eitherway.engines.aws.limit_use import Use
from eitherway.job import JobState

pytestmark = pytest.mark.slow  # each request goes to a server of moto's

FIVE = a_rule(in_flight=5)
Opener = Callable[[], Awaitable[AwsEngine]]


def written(engine: AwsEngine) -> list[str]:
    """The places of the table of items that an engine writes from now on."""
    places: list[str] = []

    def note(params: dict[str, Any], **_: Any) -> None:
        key = params.get("Item") or params.get("Key") or {}
        if "place" in key:
            places.append(key["place"]["S"])

    events = engine._opened().store.dynamo.meta.events
    for name in ("PutItem", "UpdateItem"):
        events.register(f"provide-client-params.dynamodb.{name}", note)
    return places


async def test_processes_never_run_more_than_the_limit_together(
    another: Opener, clock: VirtualClock
) -> None:
    engines = [await another() for _ in range(4)]
    await accept(engines[0], 60)
    random = Random(7)
    running: list[tuple[AwsEngine, Any]] = []
    ended = 0
    while ended < 60:
        wanted = [(engine, random.randint(1, 4)) for engine in engines]
        taken = await asyncio.gather(*(take(one, n, limits=[FIVE]) for one, n in wanted))
        running += [(one, each) for one, some in zip(engines, taken, strict=True) for each in some]
        assert 0 < len(running) <= 5
        random.shuffle(running)
        for _ in range(random.randint(1, len(running))):
            engine, each = running.pop()
            await end(engine, each, clock)
            ended += 1
        await clock.advance(random.choice([0.1, 1.0]))
        if not running:
            await asyncio.gather(*(engine.rest() for engine in engines))
    use = await use_of(engines[0])
    assert (use.running, use.started) == (0, 60)


async def test_a_rate_is_one_for_all_processes(another: Opener, clock: VirtualClock) -> None:
    engines = [await another() for _ in range(3)]
    await accept(engines[0], 40)
    rate = a_rate(per_second=4.0, burst=2.0)
    started = 0
    for _ in range(5):
        taken = await asyncio.gather(*(take(one, 9, limits=[rate]) for one in engines))
        started += sum(map(len, taken))
        await clock.advance(1)
    assert started == 2 * 5  # the bucket fills up to two within each second
    assert (await use_of(engines[1])).started == started


async def test_starts_drawn_ahead_never_exceed_the_rate(
    another: Opener, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "GIVE_BACK_SECONDS", 3600)
    engines = [await another(), await another()]
    places = [written(engine) for engine in engines]
    await accept(engines[0], 70)
    rate = a_rate(per_second=20.0, burst=10.0)
    starts: list[float] = []
    for turn in range(40):
        taken = await take(engines[turn % 2], 1 + turn % 3, limits=[rate])
        starts += [clock.now() - START] * len(taken)
        await clock.advance(3.0 if turn in (12, 25) else 0.05)
    for first, last in combinations(range(len(starts)), 2):
        seconds = starts[last] - starts[first]
        assert last - first + 1 <= 10 + 20 * seconds + 1e-3
    assert len(starts) > 50
    assert sum(each.count("#limits") for each in places) <= 40  # none was refused


def test_what_is_drawn_ahead_counts_as_saved_up() -> None:
    use, rate = Use(), a_rate(per_second=20.0, burst=10.0)
    use.draw(rate, 1, START)
    ahead = use.draw_ahead(rate, "one", START, seconds=1.0)
    assert ahead == 4
    assert use.starts(rate, START)[0] == 10 - 1 - ahead
    assert use.starts(rate, START + 0.75)[0] == 10 - ahead
    assert use.starts(rate, START + 1)[0] == 10  # it was not made: it lapsed
    assert use.started == 1 + ahead


@pytest.mark.parametrize("apart_seconds", [0.05, 0.5])
def test_clocks_that_differ_gain_no_starts(apart_seconds: float) -> None:
    """Each draws by its own: what they differ by is not saved up again and again."""
    use, rate = Use(), a_rate(per_second=100.0, burst=5.0)
    drawn = 0
    for step in range(200):
        now = START + step * 0.01 + (apart_seconds if step % 2 else 0)
        use.turn_back(now)
        able, _ = use.starts(rate, now)
        use.draw(rate, able, now)
        drawn += able
    assert drawn <= 5 + 100 * (2 + apart_seconds) + 1


async def test_starts_are_drawn_ahead(
    another: Opener, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "GIVE_BACK_SECONDS", 3600)
    engine = await another()
    await accept(engine, 30)
    places = written(engine)
    for _ in range(20):
        assert len(await take(engine, 1, limits=[a_rate(per_second=20.0, burst=20.0)])) == 1
        await clock.advance(0.05)
    assert 0 < places.count("#limits") <= 4
    assert (await use_of(engine)).started == 20


async def test_what_is_within_a_block_costs_no_write(
    another: Opener, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "GIVE_BACK_SECONDS", 3600)
    engine = await another()
    await accept(engine, 40)
    held = list(await take(engine, 5, limits=[FIVE]))
    places = written(engine)
    for _ in range(20):
        await end(engine, held.pop(), clock)
        held += await take(engine, 1, limits=[FIVE])
    assert len(held) == 5
    assert "#counts" in "".join(places)
    assert "#limits" not in places


async def test_those_who_ask_at_once_draw_at_once(another: Opener) -> None:
    engine = await another()
    await accept(engine, 5)
    await accept(engine, 5, first=11, operation="send_mail")
    await accept(engine, 5, first=21, operation="read_mail")
    places = written(engine)
    operations = ("place_order", "send_mail", "read_mail")
    taken = await asyncio.gather(
        *(take(engine, 2, operation=one, limits=[a_rule(in_flight=9)]) for one in operations)
    )
    assert [len(some) for some in taken] == [2, 2, 2]
    assert places.count("#limits") <= 2


async def test_a_dead_process_s_block_comes_back(another: Opener, clock: VirtualClock) -> None:
    dead, alive = await another(), await another()
    await accept(alive, 9)
    assert len(await take(dead, 5, limits=[FIVE])) == 5
    await clock.advance(LEASE_SECONDS - 1)
    assert not await take(alive, 9, limits=[FIVE])
    await clock.advance(2)
    assert len(await alive.overdue(9, LEASE_SECONDS)) == 5
    assert len(await take(alive, 9, limits=[FIVE])) == 4
    assert (await use_of(alive)).running == 4


async def test_a_block_is_held_as_long_as_its_leases(another: Opener, clock: VirtualClock) -> None:
    one, other = await another(), await another()
    await accept(one, 6)
    held = await take(one, 5, limits=[FIVE])
    for _ in range(4):
        await clock.advance(LEASE_SECONDS - 1)
        extensions = [Extension(lease=each.lease, lease_seconds=LEASE_SECONDS) for each in held]
        assert all(await one.extend(extensions))
        assert not await take(other, 9, limits=[FIVE])


async def test_what_is_not_used_goes_back(another: Opener, clock: VirtualClock) -> None:
    one, other = await another(), await another()
    await accept(one, 9)
    held = await take(one, 5, limits=[FIVE])
    for each in held[:3]:
        await end(one, each, clock)
    assert not await take(other, 9, limits=[FIVE])
    await one.rest()
    await clock.advance(1)
    assert len(await take(other, 9, limits=[FIVE])) == 3
    assert (await use_of(one)).running == 5


async def test_a_busy_process_comes_down_for_one_that_waits(
    another: Opener, clock: VirtualClock
) -> None:
    busy, late = await another(), await another()
    rule = a_rule(in_flight=4)
    await accept(busy, 60)
    held = list(await take(busy, 4, limits=[rule]))
    theirs: list[Any] = []
    for _ in range(4):
        theirs += await take(late, 4, limits=[rule])
        await clock.advance(1)
        for _ in range(2):
            await end(busy, held.pop(0), clock)
            held += await take(busy, 4, limits=[rule])
            assert len(held) + len(theirs) <= 4
        await busy.rest()
    assert (len(held), len(theirs)) == (2, 2)


async def test_a_lost_lease_frees_its_place_where_it_was_counted(
    another: Opener, clock: VirtualClock
) -> None:
    one, other = await another(), await another()
    await accept(one, 2)
    (late, lost) = await take(one, 2, limits=[FIVE])
    await clock.advance(LEASE_SECONDS + 1)
    for each in await other.overdue(9, LEASE_SECONDS):
        await settle(other, an_end(each, JobState.SUCCEEDED, clock.now()))
    assert (await use_of(one)).running == 2
    await settle(one, an_end(late, JobState.SUCCEEDED, clock.now()))
    assert list(await one.extend([Extension(lease=lost.lease, lease_seconds=9)])) == [False]
    assert (await use_of(one)).running == 0


async def test_a_job_canceled_elsewhere_counts_until_its_holder_returns(
    another: Opener, clock: VirtualClock
) -> None:
    one, other = await another(), await another()
    await accept(one, 1)
    (held,) = await take(one, limits=[FIVE])
    await other.cancel([Cancellation(job_id=held.job.id, at=START, expires=None)])
    assert list(await one.extend([Extension(lease=held.lease, lease_seconds=9)])) == [False]
    assert (await use_of(one)).running == 1
    await settle(one, an_end(held, JobState.SUCCEEDED, clock.now()))
    assert (await use_of(one)).running == 0


async def test_calls_of_one_and_jobs_of_another_are_one_limit(
    another: Opener, clock: VirtualClock
) -> None:
    calls, jobs = await another(), await another()
    await accept(jobs, 9)
    assert (await hold(calls, 2, FIVE)).slots == 2
    assert len(await take(jobs, 9, limits=[FIVE])) == 3
    assert (await hold(calls, 4, FIVE)).slots == 2
    await clock.advance(SHARE_SECONDS + 1)
    assert len(await jobs.overdue(9, LEASE_SECONDS)) == 3
    assert len(await take(jobs, 9, limits=[FIVE])) == 2


async def test_who_closes_leaves_no_place_behind(another: Opener, clock: VirtualClock) -> None:
    one, other = await another(), await another()
    await accept(one, 9)
    (held, _) = await take(one, 2, limits=[FIVE])
    await hold(one, 2, FIVE)
    await end(one, held, clock)
    await one.close()
    await clock.advance(1)
    assert len(await take(other, 9, limits=[FIVE])) == 4

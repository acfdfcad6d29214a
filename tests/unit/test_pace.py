"""The pace of an adaptive limit: it finds what the database takes, and keeps near it."""

import sqlite3
from dataclasses import replace

import pytest

from eitherway import App, Limit, Retry, Throttled
from eitherway.attempt.pace import FIRST_PER_SECOND, Observed, Pace
from eitherway.engine.limits import Lesson
from eitherway.engines.sqlite.engine import SqliteEngine
from eitherway.settings import Settings
from eitherway.spending import current_spending
from eitherway.testing import TestApp

LOOK_SECONDS = 0.25


def seen(pace, *, refused=0, slow=False, part=1.0):
    """A look at a quarter of a second in which this part of the pace was used."""
    per_second = pace.per_second * part
    ended = max(refused, round(per_second * LOOK_SECONDS))
    return Observed(
        seconds=LOOK_SECONDS, per_second=per_second, ended=ended, refused=refused, slow=slow
    )


def test_it_doubles_each_second_until_the_first_refusal():
    """Slow start; then steps."""
    pace = Pace()
    for look in range(12):
        pace = pace.after(seen(pace), look * LOOK_SECONDS)
    assert pace.per_second == pytest.approx(8 * FIRST_PER_SECOND)
    cut = pace.after(seen(pace, refused=10), 10)
    assert cut.per_second == pytest.approx(0.9 * 80 * 0.5)
    assert cut.after(seen(cut), 11).per_second < cut.per_second * 1.2


def test_a_pace_that_is_not_used_does_not_grow():
    """Nothing was learnt about what was not tried."""
    pace = Pace(per_second=100)
    assert pace.after(seen(pace, part=0.5), 0) == pace


def test_what_a_few_attempts_meet_does_not_undo_what_was_learnt():
    """The last jobs of a queue may come together, and one of them be refused at any pace."""
    pace = Pace(per_second=50, peak=48)
    cut = pace.after(seen(pace, refused=1, part=0.2), 10)
    assert 0.7 * 50 < cut.per_second < 50
    assert cut.peak > 0.7 * 50
    most = pace.after(seen(pace, refused=20, part=0.2), 10)
    assert most.per_second < 0.2 * 50


def test_one_congestion_is_cut_once():
    """What was started before a cut fails after it, and says nothing new."""
    pace = Pace(per_second=100).after(seen(Pace(per_second=100), refused=5), 10)
    assert pace.after(seen(pace, refused=5), 10.25) == pace
    assert pace.after(seen(pace, refused=5), 10.75).per_second < pace.per_second


def test_after_a_series_of_cuts_it_comes_back_fast():
    """They were one congestion: the way to half of where it began is short."""
    pace, now = Pace(per_second=100, peak=90), 10.0
    for _ in range(6):
        pace = pace.after(seen(pace, refused=10), now)
        now += 0.6
    assert pace.per_second < 2
    for _ in range(12 * 4):
        pace = pace.after(seen(pace), now)
        now += LOOK_SECONDS
    assert pace.per_second > 30


def test_slowness_alone_cuts_a_fifth():
    """Before anything is refused."""
    pace = Pace(per_second=100)
    assert pace.after(seen(pace, slow=True), 10).per_second == pytest.approx(80)


def test_it_never_exceeds_the_limits_own_rate_nor_stops():
    """Between the ceiling that was declared and one start in two seconds."""
    pace = Pace(per_second=90)
    assert pace.after(seen(pace), 0, most=100).per_second == 100
    for look in range(50):
        pace = pace.after(seen(pace, refused=30, part=0.1), look)
    assert pace.per_second == 0.5


def test_it_comes_back_as_it_was_stored():
    """The store keeps bytes."""
    pace = Pace(per_second=12.5, peak=20.0, cut_at=7.0)
    assert Pace.load(pace.dump()) == pace
    assert Pace.load(None) == Pace()


@pytest.mark.parametrize("capacity", [5, 50, 500])
def test_it_settles_at_the_capacity(capacity):
    """Two minutes against a bucket: under 5 % refused, over 85 % of what there was used."""
    pace, tokens, now, done, refused = Pace(), float(capacity), 0.0, 0.0, 0.0
    due = 0.0
    while now < 120:
        now += LOOK_SECONDS
        due += pace.per_second * LOOK_SECONDS
        tokens = min(capacity, tokens + capacity * LOOK_SECONDS)
        started, due = int(due), due % 1
        served = min(started, int(tokens))
        tokens -= served
        done, refused = done + served, refused + started - served
        look = Observed(
            seconds=LOOK_SECONDS,
            per_second=started / LOOK_SECONDS,
            ended=started,
            refused=started - served,
            slow=False,
        )
        pace = pace.after(look, now)
    assert refused / (done + refused) < 0.05
    assert done > 0.85 * capacity * 120


app = App("learning")
database = {"full": False}


@app.post(
    "/learn",
    delivery="queued",
    limit=Limit("db", adaptive=True),
    retry=Retry(base_seconds=0.1, jitter="none"),
)
async def learn() -> None:
    if database["full"]:
        raise Throttled


async def test_attempts_move_the_pace_and_the_next_process_goes_on_with_it(tmp_path):
    """Throttled attempts cut it; what was learnt is in the store, and shown."""
    engine = f"sqlite:///{tmp_path}/jobs.db"
    async with TestApp(app, engine=engine, settings=Settings(admin_token="op")) as shop:
        (operation,) = shop.runtime.operations
        assert shop.runtime.limiter.rules(operation)[0].per_second == FIRST_PER_SECOND
        for _ in range(200):
            await shop.enqueue(learn)
        for look in range(40):
            database["full"] = look >= 20
            await shop.drain()
            await shop.advance(0.1)
        pace = shop.runtime.limiter.rules(operation)[0].per_second
        operator = {"authorization": "Bearer op"}
        stats = (await shop.request("GET", "/admin/stats", headers=operator)).json()["limits"]
    database["full"] = False
    assert 0.5 <= pace < FIRST_PER_SECOND
    (use,) = [use for use in stats if use["limit"] == "db"]
    assert use["learned_per_second"] == pytest.approx(pace, abs=0.01)
    async with TestApp(app, engine=engine) as shop:
        assert shop.runtime.limiter.rules(operation)[0].per_second == pace


def say_busy(seconds):
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode = sqlite3.SQLITE_BUSY
    raise error


def wait_for_a_connection(seconds):
    current_spending.get().wait(seconds)


def call_slowly(seconds):
    current_spending.get().call(seconds)


@pytest.mark.parametrize("sign", [say_busy, wait_for_a_connection, call_slowly])
async def test_each_sign_of_an_overload_cuts_the_pace(sign):
    """An exception that says busy, a wait for a connection of the pool, calls that take long."""
    strained = App("strained")
    seconds = [0.001]

    @strained.operation(limit=Limit("db", adaptive=True), retry=Retry(attempts=1))
    async def work() -> None:
        if sign is not say_busy or seconds[0] > 0.1:
            sign(seconds[0])

    async with TestApp(strained) as shop:
        (operation,) = shop.runtime.operations

        async def pace_after_a_while():
            for _ in range(8):
                await shop.enqueue(work)
                await shop.advance(0.125)
                await shop.drain()
            await shop.runtime.engine.purge(0)
            await shop.clock.let_run()
            return shop.runtime.limiter.rules(operation)[0].per_second

        before = await pace_after_a_while()
        seconds[0] = 0.2
        after = await pace_after_a_while()
    assert before >= FIRST_PER_SECOND
    assert after < before


class Contested(SqliteEngine):
    """Another process stores a pace right before this one does, once."""

    other = None

    async def learn(self, lessons):
        if self.other is not None:
            other, self.other = self.other, None
            assert await super().learn([replace(lessons[0], learned=other.dump())]) == [True]
        return await super().learn(lessons)


async def test_of_two_who_learn_at_once_one_is_heard(monkeypatch):
    """The slower one drops what it made of its look, and sees the other's pace at its next."""
    monkeypatch.setattr("eitherway.app.load_engine", Contested.from_url)
    async with TestApp(app) as shop:
        (operation,) = shop.runtime.operations
        shop.runtime.engine.other = Pace(per_second=7.0, peak=9.0)
        database["full"] = True
        paces = []
        for _ in range(3):
            await shop.enqueue(learn)
            await shop.advance(1)
            await shop.drain()
            await shop.runtime.engine.purge(0)
            await shop.clock.let_run()
            paces.append(shop.runtime.limiter.rules(operation)[0].per_second)
        database["full"] = False
    assert paces[0] == FIRST_PER_SECOND
    assert paces[1] < 7.0


async def test_a_pace_that_another_process_moved_is_taken_over(tmp_path):
    """Whoever looks next keeps to it."""
    async with TestApp(app, engine=f"sqlite:///{tmp_path}/jobs.db") as shop:
        (operation,) = shop.runtime.operations
        other = Lesson(limit="db", seen=None, learned=Pace(per_second=3.0, peak=5.0).dump())
        await shop.runtime.engine.learn([other])
        await shop.enqueue(learn)
        await shop.advance(1)
        await shop.drain()
        await shop.runtime.engine.purge(0)
        await shop.clock.let_run()
        assert shop.runtime.limiter.rules(operation)[0].per_second == 3.0

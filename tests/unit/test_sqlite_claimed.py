"""What a process remembers of its claims: never more than is so."""

import asyncio
from collections import Counter

import pytest

from eitherway.engine.conformance.samples import LEASE_SECONDS, START, a_job, an_end, get_one, take
from eitherway.engine.values import Extension, Settlement, SettleStatus
from eitherway.engine.virtual_clock import VirtualClock
from eitherway.engines.sqlite import transaction
from eitherway.engines.sqlite.claimed import Claimed
from eitherway.engines.sqlite.engine import SqliteEngine
from eitherway.job import JobState


@pytest.fixture
def clock():
    return VirtualClock(START)


@pytest.fixture
def reads(monkeypatch):
    """How often rows were read for a settlement, and how often they were only counted."""
    queries = Counter()
    all_, one = transaction.Transaction.all, transaction.Transaction.one

    def counting_all(self, query, **values):
        queries[query] += 1
        return all_(self, query, **values)

    def counting_one(self, query, **values):
        queries[query] += 1
        return one(self, query, **values)

    monkeypatch.setattr(transaction.Transaction, "all", counting_all)
    monkeypatch.setattr(transaction.Transaction, "one", counting_one)
    return queries


@pytest.fixture
async def engine(tmp_path, clock):
    engine = SqliteEngine(tmp_path / "claimed.db", clock=clock)
    await engine.open()
    yield engine
    await engine.close()


async def claimed(engine, count=2):
    await engine.accept([a_job(number) for number in range(1, count + 1)])
    return sorted(await take(engine), key=lambda one: one.job.id)


async def settle(engine, held, state=JobState.SUCCEEDED):
    return [
        one.status
        for one in await engine.settle(
            [Settlement(finish=an_end(each, state, START)) for each in held]
        )
    ]


async def test_what_nobody_changed_is_not_read_again(engine, reads):
    """It is counted, and all of it is still right."""
    held = await claimed(engine)
    assert await settle(engine, held) == [SettleStatus.DONE] * 2
    assert (reads["as_claimed"], reads["held_of"]) == (1, 0)
    assert engine._writer._claimed._rows == {}
    records = await engine.get([one.job.id for one in held])
    assert {(one.state, one.starts, len(one.attempts)) for one in records} == {("succeeded", 1, 1)}
    statistics = await engine.statistics()
    assert [dict(one.counts)[JobState.SUCCEEDED] for one in statistics] == [2]


async def test_what_was_changed_is_read_again(engine, reads):
    """By progress here, as by anybody: the revision tells."""
    held = await claimed(engine)
    wish = Extension(lease=held[0].lease, lease_seconds=LEASE_SECONDS, progress={"fraction": 0.5})
    assert await engine.extend([wish]) == [True]
    assert await settle(engine, held) == [SettleStatus.DONE] * 2
    assert reads["held_of"] == 1
    assert (await get_one(engine, 1)).revision == 4


async def test_what_was_taken_over_is_lost(engine, tmp_path, clock):
    """By another process, however well it is remembered here."""
    held = await claimed(engine)
    await clock.advance(2 * LEASE_SECONDS)
    other = SqliteEngine(tmp_path / "claimed.db", clock=clock)
    await other.open()
    assert len(await other.overdue(10, LEASE_SECONDS)) == 2
    await other.close()
    assert await settle(engine, held) == [SettleStatus.LEASE_LOST] * 2
    assert (await get_one(engine, 1)).state is JobState.RUNNING


async def test_what_was_settled_is_settled_once(engine):
    """What was remembered is used up."""
    held = await claimed(engine)
    assert await settle(engine, held) == [SettleStatus.DONE] * 2
    assert await settle(engine, held) == [SettleStatus.LEASE_LOST] * 2


async def test_twice_in_one_call_is_done_once(engine):
    """The first of them."""
    held = await claimed(engine, 1)
    assert await settle(engine, [*held, *held]) == [SettleStatus.DONE, SettleStatus.LEASE_LOST]


async def test_what_was_not_committed_is_not_remembered(tmp_path, clock, monkeypatch):
    """The claim was undone with what failed beside it."""
    failing, forgotten, clear = iter([True]), [], Claimed.clear

    def fail(step):
        if step == "settle.written" and next(failing, False):
            raise LookupError(step)

    def noting_clear(self):
        forgotten.extend(self._rows)
        clear(self)

    monkeypatch.setattr(Claimed, "clear", noting_clear)
    engine = SqliteEngine(tmp_path / "claimed.db", clock=clock, at_step=fail)
    await engine.open()
    await engine.accept([a_job(1)])
    held, done = await asyncio.gather(take(engine), engine.settle([Settlement()]))
    assert forgotten == [held[0].job.id]
    assert [one.status for one in done] == [SettleStatus.DONE]
    assert await settle(engine, held) == [SettleStatus.DONE]
    await engine.close()

"""Charges: units out of token buckets, taken with a commit or not at all."""

from __future__ import annotations

import asyncio
from typing import Any

from ...job import JobState
from ..contract import Engine
from ..values import Charge, Extension, ItemCheck, ItemKey, ItemWrite, SettleStatus, Work
from ..virtual_clock import VirtualClock
from .harness import EngineHarness
from .samples import (
    COUNTER,
    START,
    a_job,
    an_end,
    commit,
    get_one,
    job_id,
    put,
    read_one,
    settle,
    take_new,
)

DONE, CONFLICT, THROTTLED = SettleStatus.DONE, SettleStatus.CONFLICT, SettleStatus.THROTTLED


class ChargeCases(EngineHarness):
    """What the charges of a settlement promise. A sample bucket holds 8 and gains 4 a second."""

    async def test_a_bucket_begins_full_and_empties(self, engine: Engine) -> None:
        """What it holds may be taken at once, and not a unit more."""
        assert await takes(engine, 1) == 8

    async def test_a_settlement_is_charged_once(self, engine: Engine) -> None:
        """A commit takes what it says, whatever else is in its call."""
        works = [charged(3), Work(writes=put(COUNTER, b"1").writes), charged(3, "another")]
        for work in works:
            assert (await commit(engine, work)).status is DONE
        assert await takes(engine, 1) == 5
        assert await takes(engine, 1, "another") == 5

    async def test_a_refused_one_writes_nothing_and_the_lease_holds(self, engine: Engine) -> None:
        """Record, items and jobs stay as they were; the same holder may end it otherwise."""
        held = await take_new(engine)
        await takes(engine, 8)
        end = an_end(held, JobState.SUCCEEDED, START)
        work = charged(1, jobs=[a_job(2)])

        settled = await settle(engine, end, work)

        assert settled.status is THROTTLED
        assert settled.wait_seconds > 0
        assert await get_one(engine) == held.job
        assert (await read_one(engine)).version == 0
        assert list(await engine.get([job_id(2)])) == [None]
        assert list(await engine.extend([Extension(lease=held.lease, lease_seconds=30)])) == [True]
        again = an_end(held, JobState.RETRYING, START, due=START + 1)
        assert (await settle(engine, again)).status is DONE

    async def test_a_refused_one_takes_nothing(self, engine: Engine) -> None:
        """Neither of the bucket that is too empty nor of the others that are not."""
        await takes(engine, 3)  # twice: 2 are left
        both = Work(charges=[a_charge(4, "another"), a_charge(4)])
        for _ in range(3):
            assert (await commit(engine, both)).status is THROTTLED
        assert await takes(engine, 1) == 2
        assert await takes(engine, 1, "another") == 8

    async def test_a_bucket_fills_with_time(self, engine: Engine, clock: VirtualClock) -> None:
        """At its rate, from where it was, up to what it holds."""
        await takes(engine, 1)
        await clock.advance(0.5)
        assert await takes(engine, 1) == 2
        await clock.advance(0.125)
        assert await takes(engine, 1) == 0
        await clock.advance(0.125)
        assert await takes(engine, 1) == 1
        await clock.advance(3600)
        assert await takes(engine, 1) == 8

    async def test_after_its_wait_it_is_taken(self, engine: Engine, clock: VirtualClock) -> None:
        """`wait_seconds` is when the bucket holds enough, if nobody else takes."""
        await takes(engine, 8)
        settled = await commit(engine, charged(5))
        assert settled.status is THROTTLED
        await clock.advance(settled.wait_seconds)
        assert (await commit(engine, charged(5))).status is DONE

    async def test_more_than_it_can_hold_is_refused(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """Even of a full bucket, after any time."""
        await clock.advance(3600)
        assert (await commit(engine, charged(9))).status is THROTTLED
        assert await takes(engine, 1) == 8

    async def test_a_conflict_is_not_charged(self, engine: Engine) -> None:
        """What did not commit took nothing."""
        for _ in range(3):
            work = charged(4, checks=[ItemCheck(key=COUNTER, version=7)])
            assert (await commit(engine, work)).status is CONFLICT
        assert await takes(engine, 1) == 8

    async def test_a_lost_lease_is_not_charged(self, engine: Engine) -> None:
        """Nor does a late worker take anything."""
        held = await take_new(engine)
        end = an_end(held, JobState.SUCCEEDED, START)
        assert (await settle(engine, end)).status is DONE
        assert (await settle(engine, end, charged(4))).status is SettleStatus.LEASE_LOST
        assert await takes(engine, 1) == 8

    async def test_settlements_of_one_time_share_what_there_is(self, engine: Engine) -> None:
        """Of many at once as many commit as there is for, and only those have written."""
        keys = [ItemKey(table="t", key=f"{number}") for number in range(20)]
        works = [
            Work(writes=[ItemWrite(key=key, value=b"1")], charges=[a_charge(1)]) for key in keys
        ]
        settled = await asyncio.gather(*(commit(engine, work) for work in works))
        done = [each.status is DONE for each in settled]
        assert sum(done) == 8
        assert [item.value is not None for item in await engine.read(keys)] == done


class SharedChargeCases(EngineHarness):
    """What holds between engines on one store."""

    async def test_engines_share_a_bucket(
        self, engine: Engine, other: Engine, clock: VirtualClock
    ) -> None:
        """What one has taken the other does not get, and what comes back comes once."""
        assert (await commit(engine, charged(3))).status is DONE
        assert await takes(other, 1) == 5
        assert await takes(engine, 1) == 0
        await clock.advance(1)
        assert await takes(engine, 1) + await takes(other, 1) == 4

    async def test_a_bucket_outlives_its_engine(
        self, engine: Engine, url: str, clock: VirtualClock
    ) -> None:
        """Whoever opens the store next finds it as empty as it was."""
        await takes(engine, 8)
        await engine.close()
        later = self.make(url, clock)
        await later.open()
        try:
            assert await takes(later, 1) == 0
        finally:
            await later.close()


def a_charge(units: int, bucket: str = "table:orders") -> Charge:
    """Some units of a sample bucket."""
    return Charge(bucket=bucket, units=units, per_second=4, units_max=8)


def charged(units: int, bucket: str = "table:orders", **more: Any) -> Work:
    """A write to the counter that costs so much."""
    writes = [ItemWrite(key=COUNTER, value=b"1")]
    return Work(writes=writes, charges=[a_charge(units, bucket)], **more)


async def takes(engine: Engine, units: int, bucket: str = "table:orders") -> int:
    """How often so many units can be taken now, which is then done."""
    for count in range(100):
        settled = await commit(engine, Work(charges=[a_charge(units, bucket)]))
        if settled.status is THROTTLED:
            return count
    raise AssertionError("a bucket without a bottom")

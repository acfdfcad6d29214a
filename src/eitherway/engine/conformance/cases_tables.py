"""Items: read as committed, checked at the commit, written with the attempt or not at all."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from ...job import JobState
from ..contract import Engine
from ..values import Extension, ItemCheck, ItemKey, ItemWrite, Settlement, SettleStatus, Work
from .harness import EngineHarness
from .samples import (
    COUNTER,
    START,
    a_demand,
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

DONE, CONFLICT = SettleStatus.DONE, SettleStatus.CONFLICT
ITEM_BYTES = 1024 * 1024
"""No case writes a larger item, whatever an engine takes."""

WRITES = 1000
"""No case writes more items at once."""


class ItemCases(EngineHarness):
    """What `read` and the writes of a settlement promise."""

    async def test_what_is_absent_has_version_zero(self, engine: Engine) -> None:
        """An item that never was has no value and version 0."""
        item = await read_one(engine)
        assert (item.version, item.value) == (0, None)

    async def test_a_commit_is_read_at_once(self, engine: Engine) -> None:
        """An item is there when `settle` returns, each byte of it."""
        value = bytes(range(256))
        assert (await commit(engine, put(COUNTER, value))).status is DONE
        item = await read_one(engine)
        assert item.value == value
        assert item.version >= 1

    async def test_an_empty_value_is_not_absence(self, engine: Engine) -> None:
        """No bytes are a value."""
        await commit(engine, put(COUNTER, b""))
        item = await read_one(engine)
        assert (item.value, item.version >= 1) == (b"", True)

    async def test_versions_grow(self, engine: Engine) -> None:
        """Every write moves the version up, checked or not."""
        versions = []
        for value in (b"1", b"1", b"3"):
            await commit(engine, put(COUNTER, value))
            versions.append((await read_one(engine)).version)
        assert all(earlier < later for earlier, later in pairwise(versions))

    async def test_items_come_in_the_order_of_the_keys(self, engine: Engine) -> None:
        """Tables and keys are apart, odd names too, and each item is in its key's place."""
        names = ["a", "b", "a/b", "a.b", "a b", "ä", "%41", "*", ">", "x" * 200]
        keys = [ItemKey(table=table, key=name) for table in ("t", "t-2") for name in names]
        writes = [ItemWrite(key=key, value=b"%d" % n) for n, key in enumerate(keys)]
        assert (await commit(engine, Work(writes=writes))).status is DONE
        keys.insert(5, ItemKey(table="t", key="absent"))

        items = await engine.read([*reversed(keys), keys[0]])

        values = [b"%d" % n for n in range(len(names) * 2)]
        expected: list[bytes | None] = [*values[:5], None, *values[5:]]
        assert [item.value for item in items] == [*reversed(expected), b"0"]

    async def test_a_deleted_item_is_absent(self, engine: Engine) -> None:
        """After a delete there is no value and version 0; deleting the absent is no error."""
        await commit(engine, put(COUNTER, b"1"))
        gone = Work(writes=[ItemWrite(key=COUNTER, value=None)])
        for _ in range(2):
            assert (await commit(engine, gone)).status is DONE
            item = await read_one(engine)
            assert (item.version, item.value) == (0, None)

    async def test_an_item_may_be_as_large_as_stated(self, engine: Engine) -> None:
        """An item of `item_bytes_max` bytes is kept whole."""
        able = engine.capabilities
        size = min(able.item_bytes_max, able.commit_bytes_max, ITEM_BYTES) - 256  # for its key
        await commit(engine, put(COUNTER, b"x" * size))
        assert (await read_one(engine)).value == b"x" * size

    async def test_an_attempt_may_write_as_many_items_as_stated(self, engine: Engine) -> None:
        """`writes_per_commit_max` items commit with a job's end, all of them."""
        keys = [
            ItemKey(table="t", key=f"{number}")
            for number in range(min(engine.capabilities.writes_per_commit_max, WRITES))
        ]
        work = Work(writes=[ItemWrite(key=key, value=b"1") for key in keys])
        held = await take_new(engine)
        end = an_end(held, JobState.SUCCEEDED, START)
        assert (await settle(engine, end, work)).status is DONE
        assert {item.value for item in await engine.read(keys)} == {b"1"}


class CheckCases(EngineHarness):
    """What the checks of a settlement promise."""

    async def test_a_check_that_holds_commits(self, engine: Engine) -> None:
        """The version read, unmoved, lets the write pass; so does absence."""
        assert (await commit(engine, put(COUNTER, b"1", over=0))).status is DONE
        version = (await read_one(engine)).version
        assert (await commit(engine, put(COUNTER, b"2", over=version))).status is DONE
        assert (await read_one(engine)).value == b"2"

    async def test_a_check_without_a_write_checks(self, engine: Engine) -> None:
        """What was only read may be checked, too."""
        await commit(engine, put(COUNTER, b"1"))
        absent = Work(checks=[ItemCheck(key=COUNTER, version=0)], jobs=[a_job(2)])
        assert (await commit(engine, absent)).status is CONFLICT
        assert list(await engine.get([job_id(2)])) == [None]

    async def test_absence_is_checked(self, engine: Engine) -> None:
        """Version 0 holds while there is no item, and not a moment longer."""
        await commit(engine, put(COUNTER, b"1"))
        assert (await commit(engine, put(COUNTER, b"2", over=0))).status is CONFLICT
        await commit(engine, Work(writes=[ItemWrite(key=COUNTER, value=None)]))
        assert (await commit(engine, put(COUNTER, b"3", over=0))).status is DONE

    async def test_a_version_never_comes_back(self, engine: Engine) -> None:
        """An item deleted and made again is not the one that was read before."""
        seen = []
        for _ in range(3):
            await commit(engine, put(COUNTER, b"1"))
            seen.append((await read_one(engine)).version)
            await commit(engine, Work(writes=[ItemWrite(key=COUNTER, value=None)]))
        await commit(engine, put(COUNTER, b"again"))
        for version in seen:
            assert (await commit(engine, put(COUNTER, b"!", over=version))).status is CONFLICT
        assert (await read_one(engine)).value == b"again"

    async def test_a_version_from_the_future_conflicts(self, engine: Engine) -> None:
        """Only the very version holds."""
        await commit(engine, put(COUNTER, b"1"))
        version = (await read_one(engine)).version
        assert (await commit(engine, put(COUNTER, b"2", over=version + 1))).status is CONFLICT
        assert (await read_one(engine)).value == b"1"

    async def test_a_conflict_names_what_moved(self, engine: Engine) -> None:
        """The keys whose check failed are named, the others are not."""
        keys = [ItemKey(table="t", key=name) for name in "abcd"]
        await commit(engine, Work(writes=[ItemWrite(key=key, value=b"1") for key in keys]))
        items = await engine.read(keys)
        moved = [ItemWrite(key=keys[1], value=b"2"), ItemWrite(key=keys[3], value=None)]
        await commit(engine, Work(writes=moved))

        checks = [
            ItemCheck(key=key, version=item.version) for key, item in zip(keys, items, strict=True)
        ]
        settled = await commit(engine, Work(checks=checks))

        assert settled.status is CONFLICT
        assert set(settled.conflicts) == {keys[1], keys[3]}

    async def test_a_conflict_writes_nothing_and_the_lease_holds(self, engine: Engine) -> None:
        """Record, items and jobs stay as they were; the same holder may try again."""
        held = await take_new(engine)
        other = ItemKey(table="t", key="other")
        end = an_end(held, JobState.SUCCEEDED, START)
        work = Work(
            checks=[ItemCheck(key=COUNTER, version=3)],
            writes=[ItemWrite(key=other, value=b"1")],
            jobs=[a_job(2, operation="send_mail")],
        )

        assert (await settle(engine, end, work)).status is CONFLICT

        assert await get_one(engine) == held.job
        assert (await read_one(engine, other)).version == 0
        assert list(await engine.get([job_id(2)])) == [None]
        assert list(await engine.extend([Extension(lease=held.lease, lease_seconds=30)])) == [True]
        retried = Work(writes=work.writes, jobs=work.jobs)
        assert (await settle(engine, end, retried)).status is DONE
        assert (await read_one(engine, other)).value == b"1"
        assert (await get_one(engine, 2)).state is JobState.QUEUED

    async def test_of_a_race_in_one_batch_one_wins(self, engine: Engine) -> None:
        """Of several settlements over one version of a counter exactly one commits."""
        racing = [Settlement(work=put(COUNTER, b"%d" % n, over=0)) for n in range(5)]
        settled = await engine.settle(racing)
        statuses = [each.status for each in settled]
        assert sorted(each.value for each in statuses) == ["conflict"] * 4 + ["done"]
        assert (await read_one(engine)).value == b"%d" % statuses.index(DONE)
        assert all(
            list(each.conflicts) == ([] if each.status is DONE else [COUNTER]) for each in settled
        )

    async def test_a_counter_counts(self, engine: Engine) -> None:
        """Concurrent read, check and write, again on a conflict, lose no step."""

        async def step() -> None:
            for _ in range(50):
                item = await read_one(engine)
                value = b"%d" % (int(item.value or b"0") + 1)
                if (await commit(engine, put(COUNTER, value, over=item.version))).status is DONE:
                    return
            raise AssertionError("fifty conflicts in a row: somebody must have won")

        await asyncio.gather(*(step() for _ in range(12)))
        assert (await read_one(engine)).value == b"12"


class EnqueueCases(EngineHarness):
    """What the jobs of a settlement promise."""

    async def test_a_direct_call_commits_without_a_record(self, engine: Engine) -> None:
        """Items and jobs commit together where no job ends."""
        work = Work(writes=put(COUNTER, b"1").writes, jobs=[a_job(1)])
        assert (await commit(engine, work)).status is DONE
        assert (await read_one(engine)).value == b"1"
        assert (await get_one(engine)).state is JobState.QUEUED

    async def test_enqueued_jobs_are_accepted_jobs(self, engine: Engine) -> None:
        """What an attempt enqueues is readable at its commit, and received like any other."""
        held = await take_new(engine)
        jobs = [a_job(2), a_job(3, due=START + 60)]
        await settle(engine, an_end(held, JobState.SUCCEEDED, START), Work(jobs=jobs))
        assert (await get_one(engine, 2)).state is JobState.QUEUED
        assert (await get_one(engine, 3)).state is JobState.SCHEDULED
        (received,) = await engine.receive([a_demand()])
        assert (received.job.id, received.message) == (job_id(2), jobs[0].message)

    async def test_nothing_to_do_is_done(self, engine: Engine) -> None:
        """A direct call that wrote nothing commits nothing, and says so."""
        assert (await commit(engine, Work())).status is DONE

"""What a batch's handler writes: each item's with its own end, the rest with the end of all."""

import asyncio
from collections import Counter

import pytest

from eitherway import App, Context, Reject
from eitherway.engine.values import ItemKey
from eitherway.job import JobState, Outcome
from eitherway.testing import Crash


class Shop:
    """A batch operation whose work the test gives, with its tables and its calls."""

    def __init__(self):
        self.app = App("writing")
        self.rows = self.app.table("rows", dict, key="key")
        self.counters = self.app.table("counters", dict, key="key")
        self.calls = []
        self.mailed = []

        @self.app.operation()
        async def mail(to: str) -> None:
            self.mailed.append(to)

        self.mail = mail

    def declare(self, work, **policies):
        @self.app.operation(**{"batch_max": 100, "limit": None, **policies})
        async def store(ctx: Context, rows: list[int]) -> list[int | Exception]:
            self.calls.append(list(rows))
            return await work(ctx, rows)

        self.store = store
        return store

    async def add(self, key, amount=1):
        counter = await self.counters.get(key, {"key": key, "n": 0})
        await self.counters.put({"key": key, "n": counter["n"] + amount})

    async def counted(self, key):
        return (await self.counters.get(key, {"n": 0}))["n"]

    @property
    def sizes(self):
        return [len(call) for call in self.calls]


@pytest.fixture
def shop():
    return Shop()


async def run_all(batched, shop, count):
    """Enqueue so many, run them, and give their records."""
    jobs = [await batched.enqueue(shop.store, number) for number in range(count)]
    await batched.drain()
    return [await job.record() for job in jobs]


def count_settles(batched, monkeypatch):
    """Note the settlements of every `settle` from now on."""
    engine, calls = batched.runtime.engine, []
    settle = engine.settle

    async def counting(settlements):
        calls.append(list(settlements))
        return await settle(settlements)

    monkeypatch.setattr(engine, "settle", counting)
    return calls


def outcomes(record):
    return [attempt.outcome for attempt in record.attempts]


async def test_an_items_writes_commit_with_its_own_end(test_app, shop, monkeypatch):
    """Those of a failed item are dropped, those of the others stand; all in one settle."""

    async def work(ctx, rows):
        for index, row in enumerate(rows):
            with ctx.item(index):
                await shop.rows.put({"key": str(row)})
        return [Reject("odd") if row % 2 else row for row in rows]

    shop.declare(work)
    async with test_app(shop.app) as batched:
        settles = count_settles(batched, monkeypatch)
        await run_all(batched, shop, 6)
        there = [number for number in range(6) if await shop.rows.get(str(number), None)]
    assert there == [0, 2, 4]
    assert [len(call) for call in settles] == [6]
    assert shop.sizes == [6]


async def test_shared_writes_commit_with_the_ends_of_all(test_app, shop, monkeypatch):
    """One settlement ends every job."""

    async def work(ctx, rows):
        await shop.add("all", len(rows))
        for index, row in enumerate(rows):
            with ctx.item(index):
                await shop.rows.put({"key": str(row)})
        return rows

    shop.declare(work)
    async with test_app(shop.app) as batched:
        settles = count_settles(batched, monkeypatch)
        found = await run_all(batched, shop, 6)
        assert await shop.counted("all") == 6
        assert all([await shop.rows.get(str(number), None) for number in range(6)])
    assert {record.state for record in found} == {JobState.SUCCEEDED}
    ((settlement,),) = settles
    assert len(settlement.others) == 5


@pytest.mark.parametrize(
    "step", ["settle.begun", "settle.items", "settle.written", "settle.committed", "settle.woken"]
)
async def test_a_shared_write_counts_once_whenever_the_worker_dies(test_app, shop, step):
    """Before the commit all of it runs again, after it nothing."""

    async def work(ctx, rows):
        await shop.add("all", len(rows))
        return rows

    shop.declare(work)
    async with test_app(shop.app) as batched:
        jobs = [await batched.enqueue(shop.store, number) for number in range(5)]
        batched.crash_at(step)
        with pytest.raises(Crash):
            await batched.drain()
        assert await shop.counted("all") in (0, 5)
        await batched.advance(16)
        await batched.drain()
        assert await shop.counted("all") == 5
        assert [await job.result(0) for job in jobs] == list(range(5))


async def test_a_failed_item_is_left_out_of_shared_writes(test_app, shop):
    """They are dropped, and the others run again without it: uncounted, in the same attempt."""

    async def work(ctx, rows):
        await shop.add("sum", sum(rows))
        return [Reject("three") if row == 3 else row for row in rows]

    shop.declare(work)
    async with test_app(shop.app) as batched:
        found = await run_all(batched, shop, 5)
        assert await shop.counted("sum") == 0 + 1 + 2 + 4
    assert shop.calls == [[0, 1, 2, 3, 4], [0, 1, 2, 4]]
    assert [record.state for record in found].count(JobState.SUCCEEDED) == 4
    assert {record.starts for record in found} == {1}


async def test_shared_writes_are_dropped_when_all_fail(test_app, shop):
    """As those of any failed attempt."""

    async def work(ctx, rows):
        await shop.add("sum", sum(rows))
        return [Reject("no")] * len(rows)

    shop.declare(work)
    async with test_app(shop.app) as batched:
        await run_all(batched, shop, 3)
        assert await shop.counted("sum") == 0
    assert shop.sizes == [3]


async def test_what_follows_an_item_is_shared_again(test_app, shop):
    """The block ends with its last line, also where it ends by an exception."""

    async def work(ctx, rows):
        with pytest.raises(ZeroDivisionError), ctx.item(0):
            1 / 0  # noqa: B018 - it raises
        with ctx.item(0):
            await shop.rows.put({"key": "own"})
        await shop.rows.put({"key": "shared", "rows": rows})
        return [Reject("one") if row == 1 else row for row in rows]

    shop.declare(work)
    async with test_app(shop.app) as batched:
        await run_all(batched, shop, 2)
        assert (await shop.rows.get("shared"))["rows"] == [0]
    assert shop.calls == [[0, 1], [0]]


async def test_an_item_is_seen_across_awaits_and_tasks(test_app, shop):
    """What each of many concurrent tasks writes within its item is that item's."""

    async def work(ctx, rows):
        async def one(index):
            with ctx.item(index) as item:
                await asyncio.sleep(0)
                await shop.rows.put({"key": str(rows[index]), "job": item.job_id})
                await asyncio.sleep(0)
                ctx.enqueue(shop.mail, f"by-ctx-{index}")
                item.enqueue(shop.mail, f"by-item-{index}")
            return Reject("odd") if rows[index] % 2 else rows[index]

        return await asyncio.gather(*(one(index) for index in range(len(rows))))

    shop.declare(work)
    async with test_app(shop.app) as batched:
        found = await run_all(batched, shop, 4)
        written = [await shop.rows.get(str(number), None) for number in range(4)]
    assert [row and row["job"] for row in written] == [found[0].id, None, found[2].id, None]
    assert sorted(shop.mailed) == ["by-ctx-0", "by-ctx-2", "by-item-0", "by-item-2"]


async def test_what_the_batch_enqueues_is_stored_if_all_succeed(test_app, shop):
    """Once, and not when it was dropped with a failed item."""

    async def work(ctx, rows):
        ctx.enqueue(shop.mail, ",".join(map(str, rows)))
        return [Reject("one") if row == 1 else row for row in rows]

    shop.declare(work)
    async with test_app(shop.app) as batched:
        await run_all(batched, shop, 3)
    assert shop.mailed == ["0,2"]


async def test_ctx_enqueue_takes_one_item(test_app, shop):
    """Of a batch operation, like `app.enqueue`."""

    async def work(ctx, rows):
        return rows

    shop.declare(work)

    @shop.app.operation()
    async def fan_out(ctx: Context) -> None:
        for number in range(3):
            ctx.enqueue(shop.store, number)

    async with test_app(shop.app) as batched:
        await batched.enqueue(fan_out)
        await batched.drain()
    assert shop.calls == [[0, 1, 2]]


async def test_a_conflict_re_runs_its_item_alone(test_app, shop):
    """Another writer came between: the others of the batch are not run again."""
    interfered = []

    async def work(ctx, rows):
        for index, row in enumerate(rows):
            with ctx.item(index):
                await shop.add(f"c{row}")
        if not interfered:
            interfered.append(True)
            unit = batched.runtime.unit()
            unit.write(ItemKey(table="counters", key="c1"), b'{"key":"c1","n":10}')
            assert await batched.runtime.commit(unit)
        return rows

    shop.declare(work)
    async with test_app(shop.app) as batched:
        found = await run_all(batched, shop, 3)
        assert [await shop.counted(f"c{number}") for number in range(3)] == [1, 11, 1]
    assert shop.calls == [[0, 1, 2], [1]]
    assert outcomes(found[0]) == [Outcome.SUCCEEDED]
    assert outcomes(found[1]) == [Outcome.CONFLICT, Outcome.SUCCEEDED]
    assert (found[1].attempt, found[1].starts) == (1, 2)


async def test_items_that_write_the_same_thing_settle_together(test_app, shop):
    """The first commits; the others, in conflict with it, run again as one commit."""

    async def work(ctx, rows):
        for index in range(len(rows)):
            with ctx.item(index):
                await shop.add("hot")
        return rows

    shop.declare(work)
    async with test_app(shop.app) as batched:
        found = await run_all(batched, shop, 60)
        assert await shop.counted("hot") == 60
    assert shop.sizes == [60, 59]
    assert {record.attempt for record in found} == {1}


async def test_items_and_the_batch_may_write_the_same_thing(test_app, shop):
    """They see one another's writes, in the order of the handler: nothing is lost."""

    async def work(ctx, rows):
        await shop.add("hot", 100)
        for index in range(len(rows)):
            with ctx.item(index):
                await shop.add("hot")
        return rows

    shop.declare(work, batch_max=10)
    async with test_app(shop.app) as batched:
        await run_all(batched, shop, 10)
        await run_all(batched, shop, 10)
        assert await shop.counted("hot") == 2 * 100 + 20
    assert shop.sizes == [10, 10, 10]  # the second batch knows


async def test_a_conflict_of_shared_writes_re_runs_all(test_app, shop):
    """Each attempt says so, and none of them counts."""
    interfered = []

    async def work(ctx, rows):
        await shop.add("all", len(rows))
        if not interfered:
            interfered.append(True)
            unit = batched.runtime.unit()
            unit.write(ItemKey(table="counters", key="all"), b'{"key":"all","n":10}')
            assert await batched.runtime.commit(unit)
        return rows

    shop.declare(work)
    async with test_app(shop.app) as batched:
        found = await run_all(batched, shop, 3)
        assert await shop.counted("all") == 13
    assert shop.sizes == [3, 3]
    assert [outcomes(record) for record in found] == [[Outcome.CONFLICT, Outcome.SUCCEEDED]] * 3


async def test_too_many_conflicts_are_an_error(test_app, shop):
    """After twenty, counted, as for any attempt."""

    async def work(ctx, rows):
        await shop.add("all", len(rows))
        unit = batched.runtime.unit()
        unit.write(ItemKey(table="counters", key="all"), b'{"key":"all","n":%d}' % len(shop.calls))
        assert await batched.runtime.commit(unit)
        return rows

    shop.declare(work)
    async with test_app(shop.app) as batched:
        found = await run_all(batched, shop, 2)
    assert shop.sizes == [2] * 21
    for record in found:
        assert Counter(outcomes(record)) == {Outcome.CONFLICT: 20, Outcome.ERROR: 1}
        assert (record.state, record.attempt) == (JobState.RETRYING, 1)


async def test_a_commit_that_is_too_large_is_cut(test_app, shop):
    """100 jobs, 100 items and a shared one do not fit one write: smaller batches do."""

    async def work(ctx, rows):
        await shop.add("all", len(rows))
        for index, row in enumerate(rows):
            with ctx.item(index):
                await shop.rows.put({"key": str(row)})
        return rows

    shop.declare(work)
    async with test_app(shop.app) as batched:
        found = await run_all(batched, shop, 100)
        assert await shop.counted("all") == 100
        assert shop.sizes == [100, 50, 50]
        await run_all(batched, shop, 100)
    assert {record.starts for record in found} == {1}
    assert shop.sizes[3:] == [50, 50]  # the next batch knows


async def test_shared_writes_past_the_limit_are_cut_too(test_app, shop):
    """A hundred shared rows are no error, as long as each item's own share fits."""

    async def work(ctx, rows):
        for row in rows:
            for part in range(4):
                await shop.rows.put({"key": f"{row}-{part}"})
        return rows

    shop.declare(work)
    async with test_app(shop.app) as batched:
        found = await run_all(batched, shop, 40)
        assert await shop.rows.get("39-3")
    assert shop.sizes == [40, 20, 20]
    assert {record.state for record in found} == {JobState.SUCCEEDED}


async def test_a_handler_that_catches_everything_is_cut_too(test_app, shop):
    """It is not told of a limit that smaller batches keep to."""

    async def work(ctx, rows):
        results = []
        for row in rows:
            try:
                for part in range(3):
                    await shop.rows.put({"key": f"{row}-{part}"})
            except ValueError as error:
                results.append(error)
            else:
                results.append(row)
        return results

    shop.declare(work)
    async with test_app(shop.app) as batched:
        found = await run_all(batched, shop, 40)
    assert shop.sizes == [40, 20, 20]
    assert {record.state for record in found} == {JobState.SUCCEEDED}


async def test_bytes_past_the_limit_are_cut_too(test_app, shop):
    """4 MiB for one write."""

    async def work(ctx, rows):
        for row in rows:
            await shop.rows.put({"key": str(row), "text": "x" * 300_000})
        return rows

    shop.declare(work)
    async with test_app(shop.app) as batched:
        await run_all(batched, shop, 20)
        assert await shop.rows.get("19")
    assert shop.sizes == [20, 10, 10]


async def test_one_item_past_the_limit_is_its_own_error(test_app, shop):
    """It cannot be cut further."""

    async def work(ctx, rows):
        for row in rows:
            for part in range(101 if row == 1 else 1):
                await shop.rows.put({"key": f"{row}-{part}"})
        return rows

    shop.declare(work)
    async with test_app(shop.app) as batched:
        found = await run_all(batched, shop, 3)
    assert [record.state for record in found] == [
        JobState.SUCCEEDED, JobState.RETRYING, JobState.SUCCEEDED,
    ]  # fmt: skip
    assert "at most 90 items" in found[1].attempts[0].exception


async def test_each_item_pays_for_what_it_writes(test_app, shop):
    """A table without capacity throttles those that come too late, and no others."""
    slow = shop.app.table("slow", dict, key="key", write_capacity=1, write_burst_seconds=3)

    async def work(ctx, rows):
        for index, row in enumerate(rows):
            with ctx.item(index):
                await slow.put({"key": str(row)})
        return rows

    shop.declare(work)
    async with test_app(shop.app) as batched:
        found = await run_all(batched, shop, 5)
        there = [number for number in range(5) if await slow.get(str(number), None)]
    assert there == [0, 1, 2]
    assert [outcomes(record)[0] for record in found[3:]] == [Outcome.THROTTLED] * 2
    assert [record.attempt for record in found] == [1, 1, 1, 0, 0]
    assert shop.sizes == [5]


async def test_shared_writes_are_paid_for_at_once(test_app, shop):
    """Without capacity for all of them nothing is written, and every item is throttled."""
    slow = shop.app.table("slow", dict, key="key", write_capacity=1, write_burst_seconds=3)

    async def work(ctx, rows):
        for row in rows[:2]:
            await slow.put({"key": str(row)})
        return rows

    shop.declare(work)
    async with test_app(shop.app) as batched:
        await run_all(batched, shop, 3)
        found = await run_all(batched, shop, 3)
    assert [outcomes(record) for record in found] == [[Outcome.THROTTLED]] * 3
    assert shop.sizes == [3, 3]


async def test_a_batch_that_no_capacity_could_ever_hold_is_cut(test_app, shop):
    """Six units at once are more than the three that can be saved up."""
    slow = shop.app.table("slow", dict, key="key", write_capacity=1, write_burst_seconds=3)

    async def work(ctx, rows):
        for row in rows:
            await slow.put({"key": str(row)})
        return rows

    shop.declare(work)
    async with test_app(shop.app) as batched:
        found = await run_all(batched, shop, 6)
    assert shop.sizes == [6, 3, 3]
    assert [record.state for record in found].count(JobState.SUCCEEDED) == 3


async def test_without_shared_writes_an_item_may_write_ninety(test_app, shop):
    """The limits are those of each item's own commit."""

    async def work(ctx, rows):
        for index, row in enumerate(rows):
            with ctx.item(index):
                for part in range(90):
                    await shop.rows.put({"key": f"{row}-{part}"})
        return rows

    shop.declare(work)
    async with test_app(shop.app) as batched:
        found = await run_all(batched, shop, 4)
    assert shop.sizes == [4]
    assert {record.state for record in found} == {JobState.SUCCEEDED}


async def test_shared_reads_alone_hold_nobody_together(test_app, shop, monkeypatch):
    """Only what is to be committed binds the items."""

    async def work(ctx, rows):
        await shop.counted("all")
        return rows

    shop.declare(work)
    async with test_app(shop.app) as batched:
        settles = count_settles(batched, monkeypatch)
        await run_all(batched, shop, 3)
    assert [[bool(one.work or one.others) for one in call] for call in settles] == [[False] * 3]

"""Write capacity: charged at commit, in both deliveries; with too little, throttled."""

import asyncio

import pytest

from eitherway import App, Context, JobFailedError, JobState, Retry, Throttled
from eitherway.testing import TestApp
from eitherway.unit import current_unit

app = App("capacity")
narrow = app.table("narrow", dict, key="id", write_capacity=10, write_burst_seconds=0)
parted = app.table(
    "parted", dict, key="id", partition="part", write_capacity=10, write_burst_seconds=0
)
wide = app.table("wide", dict, key="id", write_capacity=1)
free = app.table("free", dict, key="id")


@app.post("/notes")
async def note(body: dict) -> None:
    await free.put({"id": body["id"]})
    await narrow.put(body)


@app.operation(retry=Retry(attempts=2, base_seconds=1, jitter="none"))
def note_plainly(key: str) -> None:
    free.sync.put({"id": key})
    narrow.sync.put({"id": key})


@app.operation(retry=Retry(attempts=1))
async def write(ids: list[str], size: int) -> str:
    """Writes them, and says what was refused."""
    try:
        for key in ids:
            await narrow.put({"id": key, "data": "x" * size})
    except ValueError as error:
        return str(error)
    return ""


@app.operation(retry=Retry(attempts=1))
async def write_too_much() -> None:
    await narrow.put({"id": "large", "data": "x" * 11_000})


interfering: list[str] = []


@app.operation()
async def add_one(ctx: Context) -> None:
    await narrow.get("counter", None)
    while interfering:
        token = current_unit.set(None)
        try:
            await narrow.put({"id": interfering.pop()})
        finally:
            current_unit.reset(token)
    for _ in range(3):
        await narrow.put({"id": "counter"})


@pytest.fixture
async def opened():
    async with TestApp(app, seed=4) as opened:
        yield opened


async def fill(table=narrow, **names) -> int:
    """Take what there is, a unit at a time; how many there were."""
    for count in range(1000):
        try:
            await table.delete("nothing", **names)
        except Throttled:
            return count
    raise AssertionError("a bucket without a bottom")


async def test_a_direct_call_past_the_capacity_is_a_503(opened):
    """A problem with `Retry-After`; nothing is written, in no table."""
    assert await fill() == 10
    response = await opened.request("POST", "/notes", json={"id": "a"})
    assert response.status == 503
    assert response.json()["type"] == "/problems/throttled"
    assert int(response.headers["retry-after"]) >= 1
    assert await narrow.get("a", None) is None
    assert await free.get("a", None) is None
    await opened.advance(0.2)
    assert (await opened.request("POST", "/notes", json={"id": "a"})).status == 200
    assert await fill() == 1


async def test_retry_after_says_when_there_is_enough(opened):
    """Nine units come in 0.9 s; the header counts whole seconds, at least one."""
    slow = {"id": "a", "data": "x" * 9000}
    await fill(wide)
    assert (await opened.request("POST", "/notes", json=slow)).status == 200
    response = await opened.request("POST", "/notes", json=slow)
    assert (response.status, response.headers["retry-after"]) == (503, "1")


async def test_a_queued_job_past_the_capacity_retries_uncounted(opened):
    """With growing delays, as often as it takes; then it succeeds."""
    await fill()
    job = await opened.enqueue(note_plainly, "a")
    for delay_seconds in (1, 2, 4):
        assert await opened.drain() == 1
        record = await job.record()
        assert (record.state, record.attempt) == (JobState.RETRYING, 0)
        assert record.due - opened.clock.now() == delay_seconds
        assert await free.get("a", None) is None
        await opened.advance(delay_seconds)
        await fill()
    await opened.advance(1)
    await opened.drain()
    record = await job.record()
    assert [a.outcome for a in record.attempts] == ["throttled"] * 3 + ["succeeded"]
    assert (record.state, record.attempt) == (JobState.SUCCEEDED, 1)
    assert record.attempts[0].error["type"] == "/problems/throttled"


async def test_a_put_of_its_own_past_the_capacity_raises_throttled(opened):
    """Outside handlers, on the loop and from a thread."""
    await fill()
    with pytest.raises(Throttled):
        await narrow.put({"id": "a"})
    with pytest.raises(Throttled):
        await asyncio.to_thread(narrow.sync.put, {"id": "a"})
    assert await narrow.get("a", None) is None


OVERHEAD = len(b'k{"id":"k","data":""}')


@pytest.mark.parametrize(
    ("size", "units"),
    [(0, 1), (1024 - OVERHEAD, 1), (1025 - OVERHEAD, 2), (2048 - OVERHEAD, 2), (9000, 9)],
)
async def test_a_write_costs_a_unit_for_each_1024_bytes(opened, size, units):
    """Of key and value, rounded up, at least one."""
    await narrow.put({"id": "k", "data": "x" * size})
    assert await fill() == 10 - units


async def test_the_partition_is_part_of_the_key(opened):
    """Its bytes count, those of UTF-8."""
    value = '{"id":"k","part":"","data":""}'
    data = "x" * (1024 - len(value) - len("k") - 4 * len("ä".encode()))
    await parted.put({"id": "k", "part": "ää", "data": data})
    assert await fill(parted, partition="p") == 9
    await opened.advance(1)
    await parted.put({"id": "k", "part": "ää", "data": data + "x"})
    assert await fill(parted, partition="p") == 8


async def test_an_attempt_pays_for_what_it_commits(opened):
    """Once for an item that it writes three times, and nothing for the run that conflicted."""
    interfering.append("counter")
    job = await opened.enqueue(add_one)
    await opened.drain()
    assert [a.outcome for a in (await job.record()).attempts] == ["conflict", "succeeded"]
    assert await fill() == 10 - 1 - 1  # the interference, and the attempt


async def test_capacity_is_saved_up_for_the_burst(opened):
    """300 seconds' worth by default, all of it there at the beginning, and no more."""
    assert await fill(wide) == 300
    await opened.advance(10)
    assert await fill(wide) == 10
    await opened.advance(5000)
    assert await fill(wide) == 300


@pytest.mark.parametrize(("ids", "size"), [(["a"], 11_000), ([*"abcdefghijk"], 0)])
async def test_more_than_can_ever_be_saved_up_is_a_value_error(opened, ids, size):
    """Of the write that goes past it, which is not kept; those before it are."""
    said = await opened.call(write, ids, size)
    assert "needs 11 units of write capacity" in said
    assert "10 can ever be saved up" in said
    assert [found["id"] async for found in narrow.query()] == ids[:-1]


async def test_such_an_attempt_fails_by_itself(opened):
    """It is no throttling: it would never pass."""
    job = await opened.enqueue(write_too_much)
    await opened.drain()
    record = await job.record()
    assert (record.state, record.attempts[-1].outcome) == (JobState.FAILED, "error")
    assert "write less, or raise write_capacity" in (record.attempts[-1].exception or "")
    with pytest.raises(JobFailedError):
        await opened.call(write_too_much)
    assert await fill() == 10


async def test_tables_without_a_capacity_have_none(opened):
    """They take what the engine takes."""
    for number in range(400):
        await free.put({"id": f"{number}"})

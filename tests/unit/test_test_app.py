"""`TestApp` itself: its fixture, and deaths at every step of the engine."""

import pytest

from eitherway import App, ConfigurationError
from eitherway.engines.sqlite.engine import SqliteEngine
from eitherway.testing import Crash

app = App("crashing")
counters = app.table("counters", dict, key="key")
ACCEPT = [step for step in SqliteEngine.STEPS if step.startswith("accept.")]
SETTLE = [step for step in SqliteEngine.STEPS if step.startswith("settle.")]


@app.post("/count", delivery="queued")
async def count() -> int:
    counter = await counters.get("c", {"key": "c", "n": 0})
    counter["n"] += 1
    await counters.put(counter)
    return counter["n"]


async def counted():
    return (await counters.get("c", {"n": 0}))["n"]


@pytest.mark.parametrize("step", SETTLE)
async def test_a_worker_that_dies_settling_counts_once(test_app, step):
    """Before the commit the job runs again after its lease, after it never."""
    async with test_app(app) as shop:
        job = await shop.enqueue(count)
        shop.crash_at(step)
        with pytest.raises(Crash):
            await shop.drain()
        await shop.advance(16)
        await shop.drain()
        assert await job.result(0) == await counted() == 1


@pytest.mark.parametrize("step", SETTLE)
async def test_a_direct_call_that_dies_counts_once_or_not_at_all(test_app, step):
    """And the next one starts anew: the death is over when it has been told."""
    async with test_app(app) as shop:
        shop.crash_at(step)
        with pytest.raises(Crash):
            await shop.call(count)
        before = await counted()
        assert before == (1 if step in ("settle.committed", "settle.woken") else 0)
        assert await shop.drain() == 0
        assert await shop.call(count) == before + 1


@pytest.mark.parametrize("step", ACCEPT)
@pytest.mark.parametrize("door", ["python", "http"])
async def test_an_accept_that_dies_is_whole_or_nothing(test_app, step, door):
    """The job is there to run if it was committed, and there is none if it was not."""
    async with test_app(app) as shop:
        shop.crash_at(step)
        with pytest.raises(Crash):
            await (shop.enqueue(count) if door == "python" else shop.request("POST", "/count"))
        assert await shop.drain() == (1 if step in ("accept.committed", "accept.woken") else 0)


async def test_an_unknown_step_is_refused(test_app):
    """With those that there are."""
    async with test_app(app) as shop:
        with pytest.raises(ConfigurationError, match=r"accept\.begun"):
            shop.crash_at("nowhere")

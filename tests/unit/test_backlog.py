"""`backlog_max`: so many jobs wait, and the next is refused before any 202."""

import asyncio
import re

import pytest

from eitherway import App, BacklogFullError, ConfigurationError, Context, Retry
from eitherway.errors import EngineUnavailableError
from eitherway.settings import Settings
from eitherway.testing import FakeClock, TestApp

MOST = 10


class Shop:
    """An app with a bounded backlog, and whether its handler works."""

    def __init__(self):
        self.app = App("bounded")
        self.broken = False

        @self.app.post(
            "/orders",
            delivery="queued",
            backlog_max=MOST,
            retry=Retry(base_seconds=5, jitter="none"),
        )
        async def place(number: int) -> int:
            if self.broken:
                raise RuntimeError("broken")
            return number

        @self.app.post("/free", delivery="queued")
        async def free(number: int) -> int:
            return number

        @self.app.post("/many", delivery="queued")
        async def many(ctx: Context) -> None:
            for number in range(MOST + 5):
                ctx.enqueue(place, number)

        @self.app.post("/calls")
        async def call() -> str:
            return (await self.app.enqueue(place, 1)).id

        @self.app.post("/relays", delivery="queued")
        async def relay() -> None:
            await self.app.enqueue(place, 1)

        self.place, self.free, self.many, self.relay = place, free, many, relay


@pytest.fixture
async def shop():
    made = Shop()
    async with TestApp(made.app, seed=1) as test_app:
        made.test = test_app
        yield made


async def statuses(shop, count, path="/orders"):
    posts = (shop.test.request("POST", f"{path}?number={n}") for n in range(count))
    return [reply.status for reply in await asyncio.gather(*posts)]


async def waiting(shop, name="place"):
    (count,) = await shop.test.runtime.engine.waiting([name])
    return count


async def test_past_it_a_request_is_a_503_and_nothing_is_stored(shop):
    """With `Retry-After` and a problem of its own; counted among the refused."""
    assert await statuses(shop, MOST) == [202] * MOST
    refused = await shop.test.request("POST", "/orders?number=11")
    assert refused.status == 503
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.json()["type"] == "/problems/backlog-full"
    assert "send it again" in refused.json()["detail"]
    assert await waiting(shop) == MOST
    assert shop.test.runtime.metrics.refused["backlog-full"].value == 1
    assert shop.test.runtime.metrics.accepted["place"].value == MOST


async def test_as_many_as_there_is_room_for_are_accepted_at_once(shop):
    """64 in parallel: neither one too many nor one too few."""
    assert sorted(await statuses(shop, 64)) == [202] * MOST + [503] * (64 - MOST)
    assert await waiting(shop) == MOST


async def test_as_many_are_accepted_on_a_file_from_two_doors(tmp_path):
    """Commits that take their time; HTTP and Python share the room."""
    made = Shop()
    async with TestApp(made.app, engine=f"sqlite:///{tmp_path}/bounded.db") as made.test:
        python = [made.test.enqueue(made.place, n) for n in range(32)]
        given, replies = await asyncio.gather(
            asyncio.gather(*python, return_exceptions=True), statuses(made, 32)
        )
        refused = [one for one in given if isinstance(one, BacklogFullError)]
        assert len(refused) + replies.count(503) == 64 - MOST
        assert await waiting(made) == MOST


async def test_an_engine_that_takes_its_time_to_count_is_held_to_it(shop, monkeypatch):
    """What began and ended meanwhile is not in its answer, and counts all the same."""
    await statuses(shop, MOST - 1)
    engine = shop.test.runtime.engine
    count, go = engine.waiting, asyncio.get_running_loop().create_future()

    async def late(operations):
        monkeypatch.setattr(engine, "waiting", count)
        found = await count(operations)
        await go
        return found

    monkeypatch.setattr(engine, "waiting", late)
    slow = asyncio.ensure_future(statuses(shop, 1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert engine.waiting == count  # it has begun to count
    assert await statuses(shop, 1) == [202]
    go.set_result(None)
    assert await asyncio.wait_for(slow, 5) == [503]
    assert await waiting(shop) == MOST


async def test_what_ends_frees_room_again(shop):
    """Whatever ends makes room for as many."""
    await statuses(shop, MOST)
    await shop.test.drain()
    assert sorted(await statuses(shop, MOST + 3)) == [202] * MOST + [503] * 3


async def test_scheduled_and_retrying_jobs_wait_too(shop):
    """Queued is not the only way to wait."""
    shop.broken = True
    for _ in range(4):
        await shop.test.enqueue(shop.place, 1)
    await shop.test.drain()
    for _ in range(3):
        await shop.test.enqueue(shop.place, 1, delay_seconds=60)
    assert sorted(await statuses(shop, MOST)) == [202] * 3 + [503] * (MOST - 3)


async def test_python_is_told_when_to_come_back(shop):
    """`BacklogFullError`, and nothing is stored."""
    for number in range(MOST):
        await shop.test.enqueue(shop.place, number)
    with pytest.raises(BacklogFullError, match="10 jobs of place wait") as refused:
        await shop.test.enqueue(shop.place, 11)
    assert refused.value.retry_after_seconds >= 1
    assert await waiting(shop) == MOST


async def test_who_is_refused_comes_back_when_a_place_may_be_free(shop):
    """After as long as one took of late: at least a second, at most a minute."""

    async def told():
        reply = await shop.test.request("POST", "/orders?number=1")
        assert reply.status == 503
        return reply.headers["retry-after"]

    await statuses(shop, MOST)
    assert await told() == "1"
    await shop.test.advance(20)
    assert await told() == "20"  # none came free
    await shop.test.drain()
    await statuses(shop, MOST)
    assert await told() == "2"  # ten did
    await shop.test.advance(40)
    assert await told() == "6"
    await shop.test.advance(1)
    assert await told() == "1"  # that was long ago


async def test_an_attempts_jobs_are_not_refused(shop):
    """They commit with it: their handler has done its work."""
    await shop.test.enqueue(shop.many)
    await shop.test.drain()
    assert await waiting(shop) == 0
    await statuses(shop, MOST)
    job = await shop.test.enqueue(shop.many)
    await shop.test.runtime.engine.pause(["place"], paused=True)
    await shop.test.drain()
    assert await job.status() == "succeeded"
    assert await waiting(shop) == MOST + MOST + 5
    assert await statuses(shop, 1) == [503]


async def test_a_handler_that_meets_a_full_backlog_is_not_to_blame(shop):
    """A direct call answers 503; a job comes back later, uncounted."""
    await statuses(shop, MOST)
    await shop.test.runtime.engine.pause(["place"], paused=True)
    reply = await shop.test.request("POST", "/calls")
    assert (reply.status, reply.json()["type"]) == (503, "/problems/backlog-full")
    assert "retry-after" in reply.headers
    job = await shop.test.enqueue(shop.relay)
    await shop.test.drain()
    record = await job.record()
    assert (record.state, record.attempt) == ("retrying", 0)
    assert [attempt.outcome for attempt in record.attempts] == ["throttled"]


async def test_an_accept_that_fails_gives_its_place_back(shop, monkeypatch):
    """Of those that wait for its end, one takes it."""
    await statuses(shop, MOST - 1)
    engine = shop.test.runtime.engine
    accept, answer = engine.accept, asyncio.get_running_loop().create_future()

    async def away(jobs):
        monkeypatch.setattr(engine, "accept", accept)
        await answer
        raise EngineUnavailableError("away")

    monkeypatch.setattr(engine, "accept", away)
    first = asyncio.ensure_future(shop.test.request("POST", "/orders?number=1"))
    others = asyncio.ensure_future(statuses(shop, 3))
    await asyncio.sleep(0)
    answer.set_result(None)
    assert (await first).json()["type"] == "/problems/engine-unavailable"
    assert sorted(await others) == [202, 503, 503]


async def test_an_operation_without_it_asks_the_engine_nothing(shop, monkeypatch):
    """Free of cost where it is not used."""

    async def asked(operations):
        raise AssertionError(operations)

    monkeypatch.setattr(shop.test.runtime.engine, "waiting", asked)
    assert await statuses(shop, 3, "/free") == [202] * 3
    await shop.test.enqueue(shop.free, 1)


async def test_the_jobs_of_other_processes_count(tmp_path):
    """Two gateways on one file: what one has committed, the other knows."""
    settings = Settings(engine=f"sqlite:///{tmp_path}/bounded.db")
    clock = FakeClock()
    one, other = Shop(), Shop()
    await one.app.open(settings, clock=clock)
    await other.app.open(settings, clock=clock)
    try:
        for number in range(MOST):
            await (one, other)[number % 2].app.enqueue((one, other)[number % 2].place, number)
        for full in (one, other):
            with pytest.raises(BacklogFullError):
                await full.app.enqueue(full.place, 1)
    finally:
        await one.app.close()
        await other.app.close()


@pytest.mark.parametrize("wrong", [0, -1, 2.5, True, "10"])
def test_a_backlog_of_no_jobs_is_refused(wrong):
    """When the operation is declared."""
    with pytest.raises(ConfigurationError, match="backlog_max is a number of jobs, 1 or more"):
        App("a").post("/a", delivery="queued", backlog_max=wrong)(lambda: None)


def test_a_direct_operation_has_no_backlog():
    """But one that is only enqueued has."""

    async def handler() -> None: ...

    with pytest.raises(ConfigurationError, match=re.escape('use delivery="queued"')):
        App("a").post("/a", backlog_max=1)(handler)
    App("a").operation(backlog_max=1)(handler)

"""Jobs for later: `delay_seconds` and `at`, from Python and from attempts."""

import math
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from eitherway import App, ConfigurationError, Context, InvalidInputError, JobState, Limit
from eitherway.job import FailureKind
from eitherway.settings import Settings
from eitherway.testing import FakeClock, TestApp

app = App("later")
ran: list[object] = []


@app.post("/notes", delivery="queued", deadline_seconds=1000)
async def note(text: str) -> str:
    ran.append(text)
    return text


@app.operation()
async def remind(text: str, at: str, delay_seconds: int = 0) -> None:
    ran.append((text, at, delay_seconds))


@app.post("/follow-ups", delivery="queued")
async def follow_up(ctx: Context, text: str, broken: bool = False) -> None:
    ctx.enqueue(note, text, delay_seconds=60)
    if broken:
        raise RuntimeError("broken")


@app.post("/calls")
async def call_back(ctx: Context, text: str, seconds: float) -> str:
    return ctx.enqueue(note, text, delay_seconds=seconds).id


@pytest.fixture
async def shop():
    ran.clear()
    async with TestApp(app, seed=1) as shop:
        yield shop


async def shown(shop, job):
    return (await shop.request("GET", f"/jobs/{job.id}")).json()["status"]


def moment(shop, seconds):
    return datetime.fromtimestamp(shop.clock.now() + seconds, UTC)


@app.post("/keyed", delivery="queued", limit=Limit("keyed", in_flight=1, key=lambda text: text[0]))
async def keyed(text: str) -> None:
    ran.append(text)


@app.post("/ordered", delivery="queued", group=lambda text: text[0])
async def ordered(text: str) -> None:
    ran.append(text)


@pytest.mark.parametrize("how", ["delay_seconds", "at", "elsewhere"])
async def test_a_job_for_later_is_scheduled_until_it_is_due(shop, how):
    """In its record and on the wire; then it runs, in whatever zone the time was given."""
    if how == "delay_seconds":
        job = await shop.enqueue(note, "a", delay_seconds=60)
    else:
        zone = UTC if how == "at" else timezone(timedelta(hours=9, minutes=30))
        job = await shop.enqueue(note, "a", at=moment(shop, 60).astimezone(zone))
    assert (await job.status(), await shown(shop, job)) == (JobState.SCHEDULED, "scheduled")
    await shop.advance(59.9)
    assert await shop.drain() == 0
    assert await shown(shop, job) == "scheduled"
    await shop.advance(0.1)
    assert await shown(shop, job) == "queued"
    assert await shop.drain() == 1
    assert await job.result(0) == "a"


async def test_a_time_in_the_past_is_now(shop):
    """As is no delay: the job is queued at once."""
    for timing in ({"at": moment(shop, -1e9)}, {"delay_seconds": 0}):
        job = await shop.enqueue(note, "a", **timing)
        record = await job.record()
        assert (record.state, record.due) == (JobState.QUEUED, shop.clock.now())
    assert await shop.drain() == 2


@pytest.mark.parametrize(
    ("timing", "says"),
    [
        ({"delay_seconds": -0.1}, "from 0 on"),
        ({"delay_seconds": math.nan}, "from 0 on"),
        ({"delay_seconds": math.inf}, "at most: choose an earlier time"),
        ({"delay_seconds": 10**5000}, "at most: choose an earlier time"),
        ({"delay_seconds": True}, "from 0 on"),
        ({"delay_seconds": "60"}, "from 0 on"),
        ({"delay_seconds": None}, "from 0 on"),
        ({"delay_seconds": timedelta(seconds=1)}, "from 0 on"),
        ({"at": datetime(2027, 1, 1)}, "tzinfo=UTC"),  # noqa: DTZ001 - that is the mistake
        ({"at": date(2027, 1, 1)}, "tzinfo=UTC"),
        ({"at": 1_800_000_000}, "tzinfo=UTC"),
        ({"at": datetime.max.replace(tzinfo=UTC)}, "at most: choose an earlier time"),
        ({"delay_seconds": 1, "at": datetime(2027, 1, 1, tzinfo=UTC)}, "not both"),
        ({"delay_seconds": 1000}, "raise deadline_seconds of note"),
        ({"delay_seconds": 1000.5}, "raise deadline_seconds of note"),
    ],
)
async def test_a_time_that_cannot_be_is_refused_and_nothing_is_stored(shop, timing, says):
    """With one line that says what to do."""
    with pytest.raises(InvalidInputError) as refused:
        await shop.enqueue(note, "a", **timing)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)
    assert await shop.runtime.engine.waiting(["note"]) == [0]


async def test_a_job_may_be_due_just_before_its_deadline(shop):
    """The deadline counts from the accept."""
    job = await shop.enqueue(note, "a", delay_seconds=999.5)
    await shop.advance(999.5)
    await shop.drain()
    assert await job.result(0) == "a"


async def test_a_handlers_own_parameter_of_that_name_stays_its_own(shop):
    """Such an operation cannot be told when to run by that name."""
    job = await shop.enqueue(remind, "tea", at="noon", delay_seconds=5)
    assert await job.status() is JobState.QUEUED
    await shop.drain()
    assert ran == [("tea", "noon", 5)]


async def test_a_job_for_later_takes_no_room_of_its_key_until_it_is_due(shop):
    """Others of the key run meanwhile; then it holds to the limit as they do."""
    await shop.enqueue(keyed, "a later", delay_seconds=60)
    await shop.enqueue(keyed, "a now")
    assert await shop.drain() == 1
    assert ran == ["a now"]
    await shop.advance(60)
    await shop.enqueue(keyed, "a then")
    await shop.drain()
    assert sorted(ran) == ["a later", "a now", "a then"]


async def test_a_group_keeps_the_order_of_its_accepts(shop):
    """A job for later holds up those of its group that came after it, and no others."""
    for text in ("a now", "a later", "a last", "b"):
        await shop.enqueue(ordered, text, delay_seconds=60 if text == "a later" else 0)
    await shop.drain()
    assert sorted(ran) == ["a now", "b"]
    await shop.advance(60)
    await shop.drain()
    assert ran[2:] == ["a later", "a last"]


async def test_an_attempts_job_for_later_comes_with_its_commit(shop):
    """It is scheduled once the attempt has committed, and never if it does not."""
    await shop.enqueue(follow_up, "a")
    await shop.enqueue(follow_up, "b", broken=True)
    assert await shop.drain() == 2
    assert await shop.runtime.engine.waiting(["note"]) == [1]
    await shop.advance(60)
    await shop.drain()
    assert ran == ["a"]


async def test_a_direct_call_enqueues_for_later_too(shop):
    """And a time that cannot be is its failure, which stores nothing."""
    reply = await shop.request("POST", "/calls?text=a&seconds=60")
    record = await shop.runtime.read_job(reply.json())
    assert (record.state, record.due) == (JobState.SCHEDULED, shop.clock.now() + 60)
    assert (await shop.request("POST", "/calls?text=a&seconds=-1")).status == 500
    assert await shop.runtime.engine.waiting(["note"]) == [1]


async def test_a_restart_keeps_what_is_scheduled(tmp_path):
    """On a file: who opens it next sees the job scheduled, and runs it when it is due."""
    settings = Settings(engine=f"sqlite:///{tmp_path}/later.db")
    clock = FakeClock()
    await app.open(settings, clock=clock)
    job = await app.enqueue(note, "kept", delay_seconds=60)
    due = (await job.record()).due
    await app.close()

    await clock.advance(30)
    runtime = await app.open(settings, clock=clock)
    record = await runtime.read_job(job.id)
    assert (record.state, record.due) == (JobState.SCHEDULED, due)
    await clock.advance(30)
    assert (await runtime.read_job(job.id)).state is JobState.QUEUED
    await app.close()


async def test_a_job_that_nobody_ran_by_its_deadline_expires(shop):
    """Scheduled, due, and left alone: a dead letter without an attempt."""
    await shop.runtime.engine.pause(["note"], paused=True)
    job = await shop.enqueue(note, "a", delay_seconds=60)
    await shop.advance(999)
    await shop.drain()
    assert await job.status() is JobState.QUEUED
    await shop.advance(1)
    await shop.drain()
    record = await job.record()
    assert (record.state, record.kind) == (JobState.FAILED, FailureKind.EXPIRED)
    assert record.attempts == ()
    assert ran == []


async def test_a_closed_app_says_so():
    """Before it looks at when."""
    with pytest.raises(ConfigurationError, match="not open"):
        await app.enqueue(note, "a", delay_seconds=-1)

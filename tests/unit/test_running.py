"""An attempt in a task of its own: the task ends with the handler, the attempt with its commit."""

import asyncio
import itertools
import threading
from contextlib import asynccontextmanager

import pytest
from pydantic import BaseModel

from eitherway import App, Context, JobState
from eitherway.attempt.leases import LeaseKeeper, finish_or_give_back
from eitherway.engine.values import ItemKey
from eitherway.engine.virtual_clock import VirtualClock
from eitherway.errors import EngineUnavailableError
from eitherway.job import Outcome
from eitherway.settings import Settings
from eitherway.worker.attempts import Attempts
from eitherway.worker.consumer import demand


class Count(BaseModel):
    name: str = "one"
    number: int


@pytest.fixture
def app():
    return App("running")


@pytest.fixture
def calls(app):
    """What `note` was called with, the app's operation."""
    called = []

    @app.operation()
    async def note(number: int) -> int:
        called.append(number)
        return number

    app.note = note
    return called


class Working:
    """An opened app whose jobs the test claims and starts itself."""

    def __init__(self, app, runtime, clock):
        self.app, self.runtime, self.clock = app, runtime, clock
        self.leases = LeaseKeeper(runtime)
        self.attempts = Attempts(runtime, self.leases)

    async def start(self, handler, *numbers):
        """Store jobs of it, claim them and begin."""
        jobs = [await self.app.enqueue(handler, number) for number in numbers]
        wanted = demand(self.runtime, self.app.operations.of(handler), len(jobs), alone=False)
        self.attempts.start(await self.runtime.engine.receive([wanted]))
        return jobs

    async def emptied(self):
        await self.leases.emptied()

    async def stop(self):
        """Begin what a drain does whose time is up."""
        stopping = asyncio.ensure_future(finish_or_give_back(self.runtime, self.leases, 0))
        while not all(one.stopped for one in self.leases.held()):
            await asyncio.sleep(0)
        return stopping


@asynccontextmanager
async def working(app, tmp_path, at_settlement=lambda: None):
    clock, opened = VirtualClock(), threading.Event()
    settings = Settings(engine=f"sqlite:///{tmp_path}/running.db")

    def at_step(step):
        if step == "settle.begun" and opened.is_set():
            at_settlement()

    runtime = await app.open(settings, clock=clock, at_step=at_step)
    opened.set()
    try:
        yield Working(app, runtime, clock)
    finally:
        await app.close()


class Gate:
    """Holds the engine's writer at the beginning of a settlement, after some others."""

    def __init__(self, after=0):
        self.reached, self.open = threading.Event(), threading.Event()
        self._steps = itertools.count(-after)

    def __call__(self):
        if next(self._steps) >= 0:
            self.reached.set()
            assert self.open.wait(60)

    @asynccontextmanager
    async def held(self):
        """Let go of it at the end, whatever happens."""
        try:
            yield
        finally:
            self.open.set()

    async def wait(self):
        assert await asyncio.to_thread(self.reached.wait, 60)


async def test_its_task_ends_before_its_commit(app, calls, tmp_path):
    """Nothing of the handler's is kept while it waits; the lease is, until it is settled."""
    gate = Gate()
    async with working(app, tmp_path, gate) as worker, gate.held():
        (job,) = await worker.start(app.note, 1)
        await gate.wait()
        (held,) = worker.leases.held()
        assert held.task is None
        assert await job.status() is JobState.RUNNING
        gate.open.set()
        await worker.emptied()
        assert await job.status() is JobState.SUCCEEDED
    assert calls == [1]


async def test_what_is_lost_before_it_began_never_begins(app, calls, tmp_path):
    """A task that is cancelled before its first step could not give anything back."""
    async with working(app, tmp_path) as worker:
        (job,) = await worker.start(app.note, 1)
        worker.leases.canceled([job.id])
        await worker.emptied()
        record = await job.record()
        assert (record.state, record.attempt) == (JobState.QUEUED, 0)
        assert [one.outcome for one in record.attempts] == [Outcome.INTERRUPTED]
    assert calls == []


async def test_a_drain_waits_for_what_is_being_settled(app, calls, tmp_path):
    """The handler is done, and its time over: what it did is not given back."""
    gate = Gate()
    async with working(app, tmp_path, gate) as worker, gate.held():
        (job,) = await worker.start(app.note, 1)
        await gate.wait()
        stopping = await worker.stop()
        gate.open.set()
        await stopping
        assert len(worker.leases) == 0
        assert await job.status() is JobState.SUCCEEDED


async def test_a_drain_does_not_wait_for_an_engine_that_is_away(app, calls, tmp_path):
    """The job is left to its lease."""

    def away():
        raise EngineUnavailableError("the disk is full")

    async with working(app, tmp_path, away) as worker:
        (job,) = await worker.start(app.note, 1)
        stopping = await worker.stop()
        while not stopping.done():
            await worker.clock.advance(1)
        assert len(worker.leases) == 0
        assert await job.status() is JobState.RUNNING
    assert calls == [1]


async def test_it_goes_on_once_the_engine_is_back(app, calls, tmp_path):
    """Settled again and again, run once."""
    failures = iter([True, True])

    def away():
        if next(failures, False):
            raise EngineUnavailableError("the disk is full")

    async with working(app, tmp_path, away) as worker:
        (job,) = await worker.start(app.note, 1)
        while len(worker.leases):
            await worker.clock.advance(1)
        assert await job.status() is JobState.SUCCEEDED
    assert calls == [1]


@pytest.fixture
def contended(app):
    """An operation whose first run finds that somebody else has changed its item."""
    app.counts = app.table("counts", Count, key="name")
    contexts = []

    @app.operation()
    async def count(number: int, ctx: Context) -> int:
        contexts.append(ctx)
        seen = await app.counts.get("one", None)
        if len(contexts) == 1:
            unit = app.runtime.unit()
            unit.write(ItemKey("counts", "one"), Count(number=5).model_dump_json().encode())
            assert await app.runtime.commit(unit)
        total = number + (seen.number if seen else 0)
        await app.counts.put(Count(number=total))
        return total

    app.count = count
    return contexts


async def test_after_a_conflict_it_runs_again(app, contended, tmp_path):
    """In a task again, with what is there now."""
    async with working(app, tmp_path) as worker:
        (job,) = await worker.start(app.count, 1)
        await worker.emptied()
        assert await job.result() == 6
        outcomes = [one.outcome for one in (await job.record()).attempts]
    assert outcomes == [Outcome.CONFLICT, Outcome.SUCCEEDED]


async def test_after_a_conflict_what_was_stopped_is_given_back(app, contended, tmp_path):
    """It does not run again here."""
    gate = Gate(after=1)
    async with working(app, tmp_path, gate) as worker, gate.held():
        (job,) = await worker.start(app.count, 1)
        await gate.wait()
        stopping = await worker.stop()
        gate.open.set()
        await stopping
        record = await job.record()
        assert (record.state, record.attempts[-1].outcome) == ("queued", Outcome.INTERRUPTED)
    assert len(contended) == 1


async def test_one_attempts_mistake_is_not_the_others(app, calls, tmp_path, monkeypatch, caplog):
    """It is left to its lease, and said so; the rest of the turn is settled."""
    async with working(app, tmp_path) as worker:
        judge, judged = worker.runtime.judge.finish, []

        def wrong(delivery, *args):
            judged.append(delivery)
            if len(judged) == 2:
                raise LookupError("a mistake")
            return judge(delivery, *args)

        monkeypatch.setattr(worker.runtime.judge, "finish", wrong)
        jobs = await worker.start(app.note, 1, 2, 3)
        await worker.emptied()
        states = sorted([await job.status() for job in jobs])
        assert states == [JobState.RUNNING, JobState.SUCCEEDED, JobState.SUCCEEDED]
    assert calls == [1, 2, 3]
    assert f"job {judged[1].job.id} is left to its lease" in caplog.messages

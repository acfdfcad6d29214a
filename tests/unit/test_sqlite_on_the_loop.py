"""A group is written on the event loop where that keeps nobody waiting, and else in a thread."""

import asyncio
import fcntl
import signal
import threading

import pytest

from eitherway.engine.conformance.samples import a_job
from eitherway.engines.sqlite.engine import SqliteEngine


class Stepped(SqliteEngine):
    """Notes which thread commits, and may be held there."""

    def __init__(self, path):
        super().__init__(path, at_step=self._step)
        self.threads = []
        self.held = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    def _step(self, step):
        if step == "accept.written":
            self.threads.append(threading.current_thread())
            self.held.set()
            self.go_on.wait(10)


@pytest.fixture
async def engine(tmp_path):
    engine = Stepped(tmp_path / "jobs.db")
    await engine.open()
    yield engine
    await engine.close()


async def written_on_the_loop(engine, number=1):
    assert await engine.accept([a_job(number)]) == [True]
    return engine.threads[-1] is threading.main_thread()


async def test_a_loop_that_may_be_blocked_writes_itself(engine):
    assert not await written_on_the_loop(engine, 1)
    engine.may_block = lambda: True
    assert await written_on_the_loop(engine, 2)
    engine.may_block = lambda: False
    assert not await written_on_the_loop(engine, 3)


async def test_what_the_thread_has_begun_it_is_not_overtaken_in(engine):
    engine.go_on.clear()
    first = engine.accept([a_job(1)])
    await asyncio.to_thread(engine.held.wait, 10)
    engine.may_block = lambda: True
    second = engine.accept([a_job(2)])
    for _ in range(5):  # turns of the loop, until it is handed over
        await asyncio.sleep(0)
    engine.go_on.set()
    assert [await first, await second] == [[True], [True]]
    assert threading.main_thread() not in engine.threads


async def test_while_another_process_writes_the_loop_is_not_blocked(engine, tmp_path):
    engine.may_block = lambda: True
    with (tmp_path / "jobs.db-lock").open("a") as another:
        fcntl.flock(another, fcntl.LOCK_EX)
        # in case the loop waits for the lock, and so would never come to let go of it
        at_last = threading.Timer(10, fcntl.flock, (another, fcntl.LOCK_UN))
        at_last.start()
        accepted = engine.accept([a_job(1)])
        for _ in range(5):  # turns of the loop, until it is handed over
            await asyncio.sleep(0)
        at_last.cancel()
        fcntl.flock(another, fcntl.LOCK_UN)
        assert await accepted == [True]
    assert engine.threads[-1] is not threading.main_thread()


async def test_a_program_that_dies_of_broken_pipes_does_not_write_pipes_on_its_main_thread(engine):
    engine.may_block = lambda: True
    before = signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        assert not await written_on_the_loop(engine)
    finally:
        signal.signal(signal.SIGPIPE, before)


async def test_a_mistake_on_the_loop_is_its_callers_alone(engine):
    engine.may_block = lambda: True
    wrong, right = engine.accept([None]), engine.accept([a_job(1)])
    assert await right == [True]
    with pytest.raises(AttributeError):
        await wrong
    assert await written_on_the_loop(engine, 2)

"""A worker knows whether it waits for its engine alone: only then may that block the event loop."""

import asyncio

from eitherway import App, Limit
from eitherway.settings import Settings
from eitherway.worker.worker import Worker


async def test_a_worker_waits_while_nothing_runs_in_it(tmp_path):
    app, running, end = App("waits"), asyncio.Event(), asyncio.Event()

    @app.operation(limit=Limit(in_flight=100))
    async def work(number: int) -> int:
        if number == 0:
            running.set()
            await end.wait()
        return number

    runtime = await app.open(Settings(engine=f"sqlite:///{tmp_path / 'waits.db'}"))
    worker = Worker(runtime)
    assert worker.is_waiting()

    settle, at_settlement = runtime.engine.settle, []

    async def noting(settlements):
        at_settlement.append((len(settlements), worker.is_waiting()))
        return await settle(settlements)

    runtime.engine.settle = noting
    jobs = await asyncio.gather(*(app.enqueue(work, number) for number in range(3)))
    await worker.start()
    await running.wait()
    assert [await job.result() for job in jobs[1:]] == [1, 2]
    assert not worker.is_waiting()
    end.set()
    assert await jobs[0].result() == 0
    await worker.drain(0)
    assert worker.is_waiting()
    await app.close()

    assert at_settlement == [(2, False), (1, True)]  # one still runs; then that one ends, too

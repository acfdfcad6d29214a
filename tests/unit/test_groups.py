"""A worker's claims and settlements go to the engine in groups, one commit each."""

import asyncio

import pytest

from eitherway import App, Limit
from eitherway.engines.sqlite.writer import Writer
from eitherway.settings import Settings
from eitherway.worker.worker import Worker


@pytest.fixture
def commits(monkeypatch):
    """Which methods each commit of an engine did, in order."""
    seen = []
    transact = Writer._transact

    def noted(self, calls):
        seen.append(list(calls))
        return transact(self, calls)

    monkeypatch.setattr(Writer, "_transact", noted)
    return seen


async def test_the_next_claim_goes_with_what_settles(commits, tmp_path):
    """In that order: the places of those that have ended are for those that come."""
    app = App("grouped")

    @app.operation(limit=Limit(in_flight=1000))
    async def work(number: int) -> int:
        return number

    runtime = await app.open(Settings(engine=f"sqlite:///{tmp_path / 'grouped.db'}"))
    jobs = await asyncio.gather(*(app.enqueue(work, number) for number in range(700)))
    commits.clear()
    worker = Worker(runtime)
    await worker.start()
    assert [await job.result() for job in jobs] == list(range(700))
    await worker.drain(0)
    await app.close()

    together = ["settle", "receive"]
    done = [[method for method in methods if method in together] for methods in commits]
    assert [methods for methods in done if methods][:5] == [
        ["receive"],
        *[together] * 3,
        ["settle"],
    ]

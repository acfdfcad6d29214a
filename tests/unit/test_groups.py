"""A worker's claims and settlements go to the engine in groups, one commit each."""

import asyncio

import pytest

from eitherway import App, Limit
from eitherway.engines.sqlite.writer import Writer
from eitherway.settings import Settings
from eitherway.worker.worker import Worker

TOGETHER = ["settle", "receive"]
"""In that order: the places of those that have ended are for those that come."""


@pytest.fixture
def commits(monkeypatch):
    """Which of a worker's methods each commit of an engine did, in order."""
    seen = []
    transact = Writer._transact

    def noted(self, calls):
        if methods := [method for method in calls if method in TOGETHER]:
            seen.append(methods)
        return transact(self, calls)

    monkeypatch.setattr(Writer, "_transact", noted)
    return seen


async def run(commits, tmp_path, limit, count):
    """Have a worker run so many jobs that are there when it starts."""
    app = App("grouped")

    @app.operation(limit=limit)
    async def work(number: int) -> int:
        return number

    runtime = await app.open(Settings(engine=f"sqlite:///{tmp_path / 'grouped.db'}"))
    jobs = await asyncio.gather(*(app.enqueue(work, number) for number in range(count)))
    commits.clear()
    worker = Worker(runtime)
    await worker.start()
    assert [await job.result() for job in jobs] == list(range(count))
    await worker.drain(0)
    await app.close()


async def test_the_next_claim_goes_with_what_settles(commits, tmp_path):
    await run(commits, tmp_path, Limit(in_flight=1000), 700)
    assert commits[:5] == [["receive"], *[TOGETHER] * 3, ["settle"]]


async def test_a_claim_for_the_places_of_those_that_end_goes_with_their_ends(commits, tmp_path):
    """Where a claim took all that the limit leaves, no hint has to say that there is room again."""
    await run(commits, tmp_path, Limit(in_flight=10), 35)
    assert commits == [["receive"], *[TOGETHER] * 3, ["settle"]]


async def test_without_a_sign_of_more_nothing_is_claimed_with_an_end(commits, tmp_path):
    await run(commits, tmp_path, Limit(in_flight=10), 9)
    assert commits == [["receive"], ["settle"]]


async def test_a_claim_in_vain_with_an_end_is_the_last(commits, tmp_path):
    await run(commits, tmp_path, Limit(in_flight=10), 10)
    assert commits == [["receive"], TOGETHER]

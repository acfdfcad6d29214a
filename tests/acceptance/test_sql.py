"""Exactly once in the user's own PostgreSQL, whichever process is killed, whenever."""

import asyncio
import os
import random
import signal
import sqlite3
from contextlib import closing

import pytest
from line import lines
from service import Service, tick
from sqlalchemy import create_engine, func, select

from eitherway.sql import create_once_table, once_table

pytestmark = [pytest.mark.slow, pytest.mark.enduring]

JOBS, KILLS, COUNTERS = 5_000, 12, 50


async def test_5000_jobs_count_to_5000_in_postgresql_under_kills(tmp_path, postgres, monkeypatch):
    """Each adds 1 to one of 50 counters, while gateways and workers die; some jobs run twice."""
    url = postgres.new_database()
    monkeypatch.setenv("COUNTERS_URL", url)
    from sql_apps import counters, passed

    engine = create_engine(url)
    create_once_table(engine)
    counters.metadata.create_all(engine)
    with engine.begin() as connection:
        names = [{"name": f"c{number}", "value": 0} for number in range(COUNTERS)]
        connection.execute(counters.insert(), names)

    service = Service(tmp_path, "run", "--workers", "2", target="sql_apps:app")
    with service:
        await service.ready()
        load = Load(service)
        await load.run()
        jobs = await until_succeeded(tmp_path / "jobs.db")
    with engine.connect() as connection:
        total = connection.scalar(select(func.sum(counters.c.value)))
        markers = connection.scalar(select(func.count()).select_from(once_table))
        passages = connection.scalar(select(func.count()).select_from(passed))
    engine.dispose()

    assert load.kills == KILLS
    assert load.accepted == JOBS
    # a request that a killed gateway did not answer may have been accepted: no more than those
    assert 0 <= jobs - JOBS <= load.unanswered
    assert total == jobs
    assert markers == jobs
    assert passages > jobs  # the kills have hit: without the markers these were counted twice


class Load:
    """5,000 requests, 32 at a time, and a random process killed 12 times meanwhile."""

    def __init__(self, service):
        self.service = service
        self.accepted = 0
        self.unanswered = 0
        self.kills = 0
        self._random = random.Random(5)
        self._names = iter(range(1_000_000))

    async def run(self):
        async with lines(self.service.url, 32) as made:
            await asyncio.gather(self._kill(), *map(self._send, made))

    async def _send(self, line):
        while self.accepted < JOBS:
            self.accepted += 1  # taken back if it is not
            try:
                answer = await line.post(f"/counters/c{next(self._names) % COUNTERS}")
            except (OSError, EOFError):
                self.accepted -= 1
                self.unanswered += 1
                await tick()
                continue
            assert answer.status == 202, answer.body

    async def _kill(self):
        for number in range(1, KILLS + 1):
            while self.accepted < number * JOBS // (KILLS + 1):
                await tick()
            while not (children := self.service.children()):
                await tick()
            os.kill(self._random.choice(sorted(children.values())), signal.SIGKILL)
            self.kills += 1


async def until_succeeded(path):
    """How many jobs there are, once all of them have succeeded."""
    with closing(sqlite3.connect(path)) as connection:
        while True:
            states = dict(connection.execute("SELECT state, count(*) FROM job GROUP BY state"))
            if states.keys() == {"succeeded"}:
                return states["succeeded"]
            assert "failed" not in states
            await tick()

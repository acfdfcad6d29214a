"""Groups keep their order through failures and kills, beside one another."""

import asyncio
import os
import signal

import pytest
from line import documents, lines
from service import all_ended, states_in, tick
from test_limits_hold import ended, most_at_once, served

pytestmark = [pytest.mark.slow, pytest.mark.enduring]

GROUPS, JOBS, KILLS = 20, 100, 5


async def test_twenty_groups_of_a_hundred_jobs_keep_their_order(tmp_path):
    """Random failures and killed workers; each group in order, exactly once, and in parallel."""
    async with served(tmp_path, workers=3) as (service, (client,)):

        async def post(account):
            async with lines(service.url, 1) as (line,):
                for number in range(JOBS):
                    answer = await line.post("/entries", {"account": account, "number": number})
                    assert answer.status == 202, answer.body

        async def kill():
            for number in range(1, KILLS + 1):
                while await ended(client) < number * GROUPS * JOBS // (KILLS + 2):
                    await tick()
                for pid, name in service._listed():  # all: some of them may hold nothing
                    if name == "worker":
                        os.kill(pid, signal.SIGKILL)

        accounts = [f"a{number}" for number in range(GROUPS)]
        killing = asyncio.ensure_future(kill())
        await asyncio.gather(*(post(account) for account in accounts))
        await all_ended(tmp_path)
        await killing
        ended_jobs = await documents(service.url, states_in(tmp_path))
        sheets = [(await client.get(f"/sheets/{account}")).json() for account in accounts]

    assert {document["status"] for document in ended_jobs} == {"succeeded"}
    assert sheets == [list(range(JOBS))] * GROUPS
    spans = [document["result"] for document in ended_jobs]
    assert most_at_once(spans) > 3, "groups run beside one another"
    for account in accounts:
        assert most_at_once([span for span in spans if span["key"] == account]) == 1
    outcomes = {each["outcome"] for document in ended_jobs for each in document["attempts"]}
    assert {"succeeded", "error", "lease_lost"} <= outcomes

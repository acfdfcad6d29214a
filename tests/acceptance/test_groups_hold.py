"""Groups keep their order through failures and kills, beside one another."""

import asyncio
import os
import signal

import pytest
from service import tick, until_done
from test_limits_hold import ended, most_at_once, served

pytestmark = [pytest.mark.slow, pytest.mark.enduring]

GROUPS, JOBS, KILLS = 20, 100, 5


async def test_twenty_groups_of_a_hundred_jobs_keep_their_order(tmp_path):
    """Random failures and killed workers; each group in order, exactly once, and in parallel."""
    async with served(tmp_path, workers=3) as (service, (client,)):

        async def post(account):
            ids = []
            for number in range(JOBS):
                response = await client.post(
                    "/entries", json={"account": account, "number": number}
                )
                assert response.status_code == 202, response.text
                ids.append(response.json()["id"])
            return ids

        async def kill():
            for number in range(1, KILLS + 1):
                while await ended(client) < number * GROUPS * JOBS // (KILLS + 2):
                    await tick()
                for pid, name in service._listed():  # all: some of them may hold nothing
                    if name == "worker":
                        os.kill(pid, signal.SIGKILL)

        accounts = [f"a{number}" for number in range(GROUPS)]
        killing = asyncio.ensure_future(kill())
        posted = await asyncio.gather(*(post(account) for account in accounts))
        documents = [await until_done(client, job) for ids in posted for job in ids]
        await killing
        sheets = [(await client.get(f"/sheets/{account}")).json() for account in accounts]

    assert {document["status"] for document in documents} == {"succeeded"}
    assert sheets == [list(range(JOBS))] * GROUPS
    spans = [document["result"] for document in documents]
    assert most_at_once(spans) > 3, "groups run beside one another"
    for account in accounts:
        assert most_at_once([span for span in spans if span["key"] == account]) == 1
    outcomes = {each["outcome"] for document in documents for each in document["attempts"]}
    assert {"succeeded", "error", "lease_lost"} <= outcomes

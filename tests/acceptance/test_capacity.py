"""A table's write capacity, over real processes and more load than it takes."""

import json

import httpx
import pytest
from line import documents
from open_loop import OpenLoop
from service import Service, all_ended

PER_SECOND = 50
SECONDS = 10


@pytest.mark.alone
@pytest.mark.slow
async def test_two_gateways_commit_what_the_table_takes_and_no_more(tmp_path):
    """500 calls a second for 10 s: a tenth commits, the rest is told so, and the table agrees."""
    target = "capacity_apps:app"
    with (
        Service(tmp_path, "run", target=target) as run,
        Service(tmp_path, "gateway", target=target) as other,
    ):
        await run.ready()
        await other.ready()
        ids = [f"{number:05}" for number in range(500 * SECONDS)]
        client = OpenLoop([run.url, other.url], "/orders", per_second=500)
        answers = await client.send([json.dumps({"order_id": one}).encode() for one in ids])
        client.close()

        by_status = {status: [] for status in (200, 503)}
        for order_id, answer in zip(ids, answers, strict=True):
            by_status[answer.status].append(order_id)
        refusals = [json.loads(one.body)["type"] for one in answers if one.status == 503]
        assert set(refusals) == {"/problems/throttled"}
        # A second's worth at the beginning, then what comes back while there are calls.
        elapsed = max(SECONDS, *(answer.after_seconds for answer in answers))
        assert 0.9 * PER_SECOND * SECONDS <= len(by_status[200]) <= PER_SECOND * (1 + elapsed) + 1
        assert len(by_status[200]) <= 600
        assert await listed(run.url) == by_status[200]


@pytest.mark.alone
@pytest.mark.slow
async def test_the_queue_learns_what_the_table_takes_and_loses_none(tmp_path):
    """The same load, queued behind an adaptive limit: all of it commits, few attempts in vain."""
    with Service(tmp_path, "run", "--workers", "2", target="capacity_apps:app") as run:
        await run.ready()
        ids = [f"{number:05}" for number in range(500 * SECONDS)]
        client = OpenLoop([run.url], "/orders/later", per_second=500)
        answers = await client.send([json.dumps({"order_id": one}).encode() for one in ids])
        client.close()
        jobs = [json.loads(answer.body)["id"] for answer in answers if answer.status == 202]
        await all_ended(tmp_path)
        ended = await documents(run.url, jobs)
        async with httpx.AsyncClient(base_url=run.url, timeout=60) as status:
            stats = (await status.get("/admin/stats")).json()["limits"]
        assert await listed(run.url) == ids

    assert len(jobs) == len(ids)
    assert {document["status"] for document in ended} == {"succeeded"}
    outcomes = [each["outcome"] for document in ended for each in document["attempts"]]
    assert set(outcomes) <= {"succeeded", "throttled"}
    print(f"throttled {outcomes.count('throttled')} of {len(outcomes)}")
    assert outcomes.count("throttled") < 0.05 * len(outcomes)
    (use,) = [use for use in stats if use["limit"] == "orders-table"]
    assert 0.5 * PER_SECOND < use["learned_per_second"] < 2 * PER_SECOND


async def listed(url: str) -> list[str]:
    """All that the table holds, page by page."""
    found: list[str] = []
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        while True:
            after = found[-1] if found else ""
            page = (await client.get("/orders", params={"after": after})).json()
            if not page:
                return found
            found += page

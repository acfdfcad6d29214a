"""Promotion between real processes: a call becomes a job, and ends once whatever dies."""

import asyncio
import signal

import httpx
import pytest
from service import Service, until_done

pytestmark = pytest.mark.slow

REQUESTS = 60


async def test_a_killed_gateway_loses_no_promoted_call(tmp_path):
    """A worker takes the job over: it runs again, alone, and its effect is there once."""
    go = tmp_path / "go"
    body = {"key": "counter", "note": str(go)}
    with (
        Service(tmp_path, "gateway") as victim,
        Service(tmp_path, "gateway", "--serve", "operations,status") as survivor,
        Service(tmp_path, "worker"),
    ):
        await victim.ready()
        await survivor.ready()
        async with (
            httpx.AsyncClient(base_url=victim.url) as client,
            httpx.AsyncClient(base_url=survivor.url) as other,
        ):
            answer = await client.post("/held", json=body, headers={"prefer": "wait=1"})
            assert (answer.status_code, answer.json()["status"]) == (202, "running")
            victim.stop(signal.SIGKILL)
            go.touch()
            job = await until_done(other, answer.json()["id"])
            assert (job["status"], job["result"]) == ("succeeded", "counter")
            outcomes = [attempt["outcome"] for attempt in job["attempts"]]
            assert outcomes == ["lease_lost", "succeeded"]
            assert (await other.get("/counters/counter")).json() == 1


async def test_a_gateway_that_stops_gives_back_what_it_cannot_finish(tmp_path):
    """SIGTERM: the caller who waits has a 202 at once, and a worker runs the job again."""
    go = tmp_path / "go"
    body = {"key": "counter", "note": str(go)}
    with Service(tmp_path, "worker"), Service(tmp_path, "gateway") as stopped:
        await stopped.ready()
        async with httpx.AsyncClient(base_url=stopped.url) as client:
            headers = {"prefer": "wait=30"}
            waiting = asyncio.ensure_future(
                client.post("/held", json=body, headers=headers, timeout=60)
            )
            metrics = {"prefer": "wait=1"}
            promoted = await client.post("/held", json=body, headers=metrics, timeout=60)
            assert promoted.status_code == 202
            assert await asyncio.to_thread(stopped.stop) == 0
            answer = await waiting
        assert answer.status_code == 202
        go.touch()
        with Service(tmp_path, "gateway", "--serve", "operations,status") as next_one:
            await next_one.ready()
            async with httpx.AsyncClient(base_url=next_one.url) as client:
                for accepted in (answer, promoted):
                    job = await until_done(client, accepted.json()["id"])
                    outcomes = [attempt["outcome"] for attempt in job["attempts"]]
                    assert outcomes[0] == "interrupted"
                    assert outcomes[-1] == "succeeded"
                assert (await client.get("/counters/counter")).json() == 2


async def test_a_handler_as_long_as_the_wait_gives_a_200_or_a_202_with_a_result(tmp_path):
    """Whichever is first, each request is answered, and each handler's row is there once."""
    with Service(tmp_path, "run") as service:
        await service.ready()
        limits = httpx.Limits(max_connections=REQUESTS)
        async with httpx.AsyncClient(base_url=service.url, timeout=60, limits=limits) as client:

            async def ask(number):
                body = {"key": f"k{number}", "note": str(0.97 + number / 1000)}
                answer = await client.post("/either", json=body, headers={"prefer": "wait=1"})
                if answer.status_code == 200:
                    return 200, answer.json()
                assert answer.status_code == 202, answer.text
                return 202, (await until_done(client, answer.json()["id"]))["result"]

            answers = await asyncio.gather(*map(ask, range(REQUESTS)))
            assert [result for _, result in answers] == [f"k{n}" for n in range(REQUESTS)]
            for number in range(REQUESTS):
                assert (await client.get(f"/runs/k{number}")).status_code == 200

"""Promotion between real processes: a call becomes a job, and ends once whatever dies."""

import asyncio
import signal

import httpx
import pytest
from service import Service, tick, until_done

pytestmark = pytest.mark.slow

REQUESTS, AT_A_TIME = 200, 50
_DEATHS = (0.99, 1.0, 1.005, 1.01, 1.015, 1.02, 1.03, None)  # seconds after the request
_SECONDS = (0.8, 0.97, 0.98, 0.985, 0.99, 0.995, 1.0, 1.005, 1.01, 1.2)


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


async def test_a_kill_in_the_middle_of_a_keyed_promotion_leaves_one_run(tmp_path):
    """Whenever the gateway dies, a repeat under the key finds the job, or runs: the effect is once.

    The deaths lie around the moment of the promotion; the last is when its 202 is there.
    """
    go = tmp_path / "go"
    found = []
    with (
        Service(tmp_path, "gateway", "--serve", "operations,status") as survivor,
        Service(tmp_path, "worker"),
    ):
        await survivor.ready()
        async with httpx.AsyncClient(base_url=survivor.url, timeout=60) as other:
            for number, seconds in enumerate(_DEATHS):
                go.unlink(missing_ok=True)
                key = {"idempotency-key": f"{number}-8e03978e"}
                body = {"key": f"counter-{number}", "note": str(go)}
                victim = Service(tmp_path, "gateway")
                victim.log = tmp_path / f"victim-{number}.log"
                victim.log.touch()
                with victim:
                    await victim.ready()
                    first = await until_killed(victim, "/held", body, key, seconds)
                go.touch()
                again = await persist(other, "/held", body, key)
                found.append(again.status_code)
                if again.status_code == 202:
                    job = await until_done(other, again.json()["id"])
                    assert (job["status"], job["result"]) == ("succeeded", body["key"])
                    assert first is None or first.json()["id"] == job["id"]
                else:
                    assert first is None  # no 202 was given
                    assert (again.status_code, again.json()) == (200, body["key"])
                assert (await other.get(f"/counters/{body['key']}")).json() == 1
    assert found[-1] == 202


async def until_killed(victim, path, body, key, seconds):
    """Send it, kill who serves it after so long, or once it is answered; the answer, if any."""
    async with httpx.AsyncClient(base_url=victim.url, timeout=60) as client:
        headers = {**key, "prefer": "wait=1"}
        sent = asyncio.ensure_future(client.post(path, json=body, headers=headers))
        await asyncio.wait({sent}, timeout=seconds)
        victim.stop(signal.SIGKILL)
        try:
            return await sent
        except httpx.TransportError:
            return None


async def persist(client, path, body, headers):
    """Send it until the lease of the one that died has lapsed."""
    while True:
        response = await client.post(path, json=body, headers=headers)
        if response.status_code != 409:
            return response
        await tick()


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
    """200 times, whichever is first: each is answered, and each handler's row is there once."""
    with Service(tmp_path, "run") as service:
        await service.ready()
        async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
            turn = asyncio.Semaphore(AT_A_TIME)

            async def ask(number):
                body = {"key": f"k{number}", "note": str(_SECONDS[number % len(_SECONDS)])}
                async with turn:
                    answer = await client.post("/either", json=body, headers={"prefer": "wait=1"})
                if answer.status_code == 200:
                    return 200, answer.json()
                assert answer.status_code == 202, answer.text
                return 202, (await until_done(client, answer.json()["id"]))["result"]

            answers = await asyncio.gather(*map(ask, range(REQUESTS)))
            assert {status for status, _ in answers} == {200, 202}
            assert [result for _, result in answers] == [f"k{n}" for n in range(REQUESTS)]
            for number in range(REQUESTS):
                assert (await client.get(f"/runs/k{number}")).status_code == 200

"""Nothing accepted is lost, whichever process is killed, whenever."""

import asyncio
import os
import random
import signal
from pathlib import Path

import httpx
import pytest
from line import lines
from service import Service, all_ended, items_in, states_in, tick, until_done

pytestmark = pytest.mark.slow

JOBS, KILLS, COUNTERS = 5_000, 20, 50


@pytest.mark.enduring
async def test_5000_jobs_survive_20_random_kills(tmp_path):
    """Every 202's job ends exactly once, and 5,000 counter increments sum up exactly."""
    service = Service(tmp_path, "run")
    with service:
        await service.ready()
        load = Load(service)
        await load.run()
        await all_ended(tmp_path)
        async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
            first, *_, last = load.accepted
            for job_id in (first, last):
                assert (await until_done(client, job_id))["status"] == "succeeded"

    assert load.kills == KILLS
    rows = items_in(tmp_path, "runs")
    # each key's row was written by its own job, once
    assert {job: rows[key]["job"] for job, key in load.accepted.items()} == {
        job: job for job in load.accepted
    }
    ended = states_in(tmp_path)
    assert set(ended.values()) == {"succeeded"}
    assert set(load.accepted) <= set(ended)
    # a request that a killed gateway did not answer may have been accepted: no more than those
    assert len(ended) - len(load.accepted) <= load.unanswered
    counted = [item["value"] for item in items_in(tmp_path, "counters").values()]
    assert len(counted) == COUNTERS
    assert sum(counted) == len(ended)


class Load:
    """5,000 requests, 32 at a time, and a random process killed now and then."""

    def __init__(self, service):
        self.service = service
        self.accepted = {}  # job id: key
        self.unanswered = 0
        self.kills = 0
        self._random = random.Random(20)
        self._numbers = iter(range(1_000_000))

    async def run(self):
        async with lines(self.service.url, 32) as made:
            await asyncio.gather(self._kill(), *map(self._send, made))

    async def _send(self, line):
        while len(self.accepted) < JOBS:
            number = next(self._numbers)
            body = {"key": f"k{number}", "note": f"c{number % COUNTERS}"}
            try:
                answer = await line.post("/increments", body)
            except (OSError, EOFError):
                self.unanswered += 1
                await tick()
                continue
            assert answer.status == 202, answer.body
            self.accepted[answer.json()["id"]] = body["key"]

    async def _kill(self):
        for number in range(1, KILLS + 1):
            while len(self.accepted) < number * JOBS // (KILLS + 1):
                await tick()
            while not (children := self.service.children()):
                await tick()
            os.kill(self._random.choice(sorted(children.values())), signal.SIGKILL)
            self.kills += 1


async def test_poison_reaches_the_dead_letters_and_takes_no_good_job_with_it(tmp_path):
    """A job that kills its process fails after its 5 attempts; 200 good ones all succeed."""
    with Service(tmp_path, "run") as service:
        await service.ready()
        async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
            ids = []
            for number in range(201):
                note = "poison" if number == 100 else ""
                response = await client.post("/mixed", json={"key": str(number), "note": note})
                ids.append(response.json()["id"])
            documents = [await until_done(client, job_id) for job_id in ids]
            total = (await client.get("/counters/mixed")).json()

    poison = documents.pop(100)
    assert {document["status"] for document in documents} == {"succeeded"}
    assert total == 200
    assert poison["status"] == "failed"
    assert poison["error"]["kind"] == "exhausted"
    assert poison["attempt"] == 5
    assert {attempt["outcome"] for attempt in poison["attempts"]} == {"lease_lost"}


async def test_a_killed_workers_job_runs_again_within_its_lease(tmp_path):
    """The attempt of the dead worker is recorded; another worker runs the job."""
    with Service(tmp_path, "run") as service:
        await service.ready()
        async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
            go = tmp_path / "go"
            response = await client.post("/slow", json={"key": "a", "note": str(go)})
            job_id = response.json()["id"]
            await running(client, job_id)
            os.kill(service.children()["worker"], signal.SIGKILL)
            go.touch()
            document = await until_done(client, job_id)

    first, last = document["attempts"]
    assert (first["outcome"], last["outcome"]) == ("lease_lost", "succeeded")
    assert document["attempt"] == 1  # it did not die alone: not counted


async def test_a_long_suspect_does_not_hold_up_the_next(tmp_path):
    """Each runs alone, in a process of its own, beside the other's."""
    go = tmp_path / "go"
    with Service(tmp_path, "run") as service:
        await service.ready()
        async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
            posted = [await client.post("/slow", json={"key": k, "note": str(go)}) for k in "ab"]
            ids = [response.json()["id"] for response in posted]
            for job_id in ids:
                await running(client, job_id)
            os.kill(service.children()["worker"], signal.SIGKILL)
            for job_id in ids:
                await running(client, job_id, attempt=2)
            go.touch()
            documents = [await until_done(client, job_id) for job_id in ids]

    assert {document["status"] for document in documents} == {"succeeded"}
    assert len({document["result"] for document in documents}) == 2


async def test_a_drained_workers_job_runs_again_at_once(tmp_path):
    """SIGTERM gives back what does not finish in time, uncounted, long before the lease is over."""
    go = tmp_path / "go"
    with Service(tmp_path, "gateway") as gateway:
        await gateway.ready()
        async with httpx.AsyncClient(base_url=gateway.url, timeout=60) as client:
            worker = Service(tmp_path, "worker").start(EITHERWAY_DRAIN_SECONDS="0")
            response = await client.post("/slow", json={"key": "a", "note": str(go)})
            job_id = response.json()["id"]
            await running(client, job_id)
            assert worker.stop() == 0
            given_back = (await client.get(f"/jobs/{job_id}")).json()
            go.touch()
            with Service(tmp_path, "worker"):
                document = await until_done(client, job_id)

    assert given_back["status"] == "queued"
    assert given_back["attempts"][0]["outcome"] == "interrupted"
    assert (document["status"], document["attempt"]) == ("succeeded", 1)


async def test_a_drain_lets_running_attempts_finish(tmp_path):
    """SIGTERM to all of it: the running job commits before the worker ends."""
    go = tmp_path / "go"
    with Service(tmp_path, "run") as service:
        await service.ready()
        async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
            response = await client.post("/slow", json={"key": "a", "note": str(go)})
            job_id = response.json()["id"]
            await running(client, job_id)
        service.process.send_signal(signal.SIGTERM)
        go.touch()
        assert service.stop() == 0
    assert states_in(tmp_path) == {job_id: "succeeded"}


async def test_a_plain_handler_keeps_its_lease_while_it_blocks_its_thread(tmp_path):
    """Leases are extended by the loop, which a plain function does not hold up."""
    with Service(tmp_path, "run", "--single") as service:
        await service.ready()
        async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
            response = await client.post("/plain", json={"key": "a", "note": "2.5"})
            document = await until_done(client, response.json()["id"])
    assert [attempt["outcome"] for attempt in document["attempts"]] == ["succeeded"]


async def test_the_children_end_with_their_supervisor(tmp_path):
    """However the supervisor dies, its gateway and worker drain and end."""
    service = Service(tmp_path, "run")
    with service:
        await service.ready()
        children = service.children()
        service.stop(signal.SIGKILL)
        for pid in children.values():
            while alive(pid):
                await tick()
    assert set(children) == {"gateway", "worker"}


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


async def running(client, job_id, attempt=1):
    """Return once the job's handler has said that it runs, for the given time."""
    while True:
        response = await client.get(f"/jobs/{job_id}")
        document = response.json()
        if document["progress"] and len(document["attempts"]) == attempt:
            return
        await client.get(
            f"/jobs/{job_id}",
            headers={"prefer": "wait=5", "if-none-match": response.headers["etag"]},
        )

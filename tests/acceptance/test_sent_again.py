"""A request sent again, and again, between real processes: one run, one effect, one answer."""

import asyncio
import os
import signal
from contextlib import ExitStack

import httpx
import pytest
from service import Service, tick, until_done
from sqlalchemy import select

from eitherway.sql import create_once_table

pytestmark = pytest.mark.slow

KEY = {"idempotency-key": '"8e03978e-40d5-43dd-bc93-6894a57f9324"'}
APP = "keyed_apps:app"
WAYS = ("direct", "queued")
KILLS = 6


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Gives the job ids of the runs of a name, as the handlers wrote them down."""
    monkeypatch.setenv("KEYED_FOLDER", str(tmp_path))
    (tmp_path / "runs").touch()

    def of(name):
        lines = [line.split() for line in (tmp_path / "runs").read_text().splitlines()]
        return [job_id for named, job_id in lines if named == name]

    return of


def gateway(folder):
    """With a log of its own, where it says where it is."""
    service = Service(folder, "gateway", target=APP)
    service.log = folder / f"gateway-{len(list(folder.glob('gateway-*.log')))}.log"
    service.log.touch()
    return service


async def post(url, path):
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        return await client.post(path, headers=KEY)


async def persist(url, path):
    """Send it until it is answered, as a client does; how often it was told to come back."""
    refused = 0
    while (response := await post(url, path)).status_code == 409:
        assert response.json()["type"] == "/problems/idempotency-key-in-use"
        assert response.headers["retry-after"] == "1"
        refused += 1
        await tick()
    return response, refused


async def get(url, path):
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        return (await client.get(path)).json()


async def test_fifty_calls_over_two_gateways_run_once(tmp_path, runs):
    """IDEM-6, direct: one runs; the others are told to come back, and get its answer."""
    with ExitStack() as stack:
        services = [stack.enter_context(gateway(tmp_path)) for _ in "ab"]
        for service in services:
            await service.ready()
        sent = [persist(services[n % 2].url, "/direct/a") for n in range(50)]
        answers = await asyncio.gather(*sent)

        assert {response.status_code for response, _ in answers} == {200}
        assert {response.content for response, _ in answers} == {b"1"}
        replayed = [r for r, _ in answers if r.headers.get("idempotent-replayed") == "true"]
        assert len(replayed) == 49
        assert any(refused for _, refused in answers)  # it ran while others came
        assert len(runs("a")) == 1
        assert await get(services[0].url, "/counts/a") == 1


async def test_fifty_accepts_over_two_gateways_make_one_job(tmp_path, runs):
    """IDEM-6, queued: each is told of the same job, which runs once."""
    with ExitStack() as stack:
        services = [stack.enter_context(gateway(tmp_path)) for _ in "ab"]
        stack.enter_context(Service(tmp_path, "worker", target=APP))
        for service in services:
            await service.ready()
        answers = await asyncio.gather(*(post(services[n % 2].url, "/queued/a") for n in range(50)))
        assert {answer.status_code for answer in answers} == {202}
        (job_id,) = {answer.json()["id"] for answer in answers}
        async with httpx.AsyncClient(base_url=services[1].url, timeout=60) as client:
            wait = {"prefer": "wait=30"}
            ended = (await client.get(f"/jobs/{job_id}", headers=wait)).json()
        assert (ended["status"], ended["result"]) == ("succeeded", 1)
        again = await post(services[0].url, "/queued/a")
        assert (again.status_code, again.json()["id"]) == (202, job_id)
        assert again.json()["result"] == 1
        assert runs("a") == [job_id]


async def test_answers_and_jobs_are_found_after_a_restart(tmp_path, runs):
    """Also after a kill: they were committed before they were told."""
    told = []
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGTERM):
        with gateway(tmp_path) as service:
            await service.ready()
            called, accepted = [await post(service.url, f"/{way}/a") for way in WAYS]
            service.stop(number)
        told.append((called.status_code, called.content, accepted.status_code))
        told.append(accepted.json()["id"])
    assert told == [(200, b"1", 202), told[1]] * 3
    assert len(runs("a")) == 1


async def test_a_killed_gateways_call_runs_again_under_its_id(tmp_path, runs):
    """IDEM-1: killed half-way; the repeat runs at once, and each effect is there once.

    The write to the user's own database, through `once`, was committed before the kill.
    """
    from keyed_apps import counters, database

    create_once_table(database)
    counters.metadata.create_all(database)
    with database.begin() as connection:
        connection.execute(counters.insert().values(name="a", value=0))
    with gateway(tmp_path) as first, gateway(tmp_path) as second:
        await first.ready()
        await second.ready()
        killed = asyncio.create_task(post(first.url, "/slow/a"))
        while not runs("a"):
            await tick()
        assert (await post(second.url, "/slow/a")).status_code == 409
        first.stop(signal.SIGKILL)
        with pytest.raises(httpx.TransportError):
            await killed
        (tmp_path / "proceed").touch()

        answer, refused = await persist(second.url, "/slow/a")

        assert (answer.status_code, answer.content, refused) == (200, b"1", 0)
        assert "idempotent-replayed" not in answer.headers
        assert len(runs("a")) == 2
        assert len(set(runs("a"))) == 1
        assert await get(second.url, "/counts/a") == 1
        again = await post(second.url, "/slow/a")
        assert (again.content, again.headers["idempotent-replayed"]) == (b"1", "true")
    with database.connect() as connection:
        assert connection.scalar(select(counters.c.value)) == 1
    database.dispose()


async def test_600_requests_under_kills_each_have_their_effect_once(tmp_path, runs):
    """Clients that give up on no request, in both deliveries, while the gateway dies six times."""
    with Service(tmp_path, "run", target=APP) as service:
        await service.ready()
        load = Load(service)
        await load.run()
        async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
            for answer in load.accepted.values():
                await until_done(client, answer["id"])
            counted = {name: (await client.get(f"/counts/{name}")).json() for name in load.names}

    assert load.kills == KILLS
    assert counted == dict.fromkeys(load.names, 1)
    assert {len(set(runs(name))) for name in load.names} == {1}  # each under one id
    assert sum(len(runs(name)) for name in load.names) > len(load.names)  # the kills have hit
    assert {name: answer["id"] for name, answer in load.accepted.items()} == {
        name: runs(name)[0] for name in load.accepted
    }


class Load:
    """Requests, 16 at a time, each sent until it is answered; a gateway killed now and then."""

    def __init__(self, service):
        self.names = [f"{way}-{number}" for number in range(300) for way in WAYS]
        self.accepted = {}
        self.kills = 0
        self._service = service
        self._left = iter(self.names)
        self._answered = 0

    async def run(self):
        async with httpx.AsyncClient(base_url=self._service.url, timeout=60) as client:
            await asyncio.gather(self._kill(), *(self._send(client) for _ in range(16)))

    async def _send(self, client):
        for name in self._left:
            path = f"/{name.partition('-')[0]}/{name}"
            while True:
                try:
                    answer = await client.post(path, headers={"idempotency-key": name})
                except httpx.TransportError:
                    await tick()
                    continue
                if answer.status_code not in (409, 503):
                    break
                await tick()
            assert answer.status_code in (200, 202), answer.text
            if answer.status_code == 202:
                self.accepted[name] = answer.json()
            self._answered += 1

    async def _kill(self):
        for number in range(1, KILLS + 1):
            while self._answered < number * len(self.names) // (KILLS + 1):
                await tick()
            while "gateway" not in (children := self._service.children()):
                await tick()
            os.kill(children["gateway"], signal.SIGKILL)
            self.kills += 1

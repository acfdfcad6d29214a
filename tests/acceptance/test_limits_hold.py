"""A limit is one limit: over four workers, two gateways, both doors, and a process that dies."""

import asyncio
import os
import random
import signal
from collections import defaultdict
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import pytest
from line import documents, lines, posted
from service import Service, all_ended, states_in, tick, until_done

pytestmark = [pytest.mark.slow, pytest.mark.alone]

TARGET = "limited_apps:app"


@asynccontextmanager
async def served(folder, *, workers=4, second_gateway=False):
    """So many workers and gateways on one store, and clients of the gateways."""
    async with AsyncExitStack() as stack:
        services = [Service(folder, "run", "--workers", str(workers), target=TARGET)]
        if second_gateway:
            services.append(Service(folder, "gateway", target=TARGET))
        clients = []
        for service in services:
            await stack.enter_context(service).ready()
            limits = httpx.Limits(max_connections=40)
            client = httpx.AsyncClient(base_url=service.url, timeout=60, limits=limits)
            clients.append(await stack.enter_async_context(client))
        yield services[0], clients


async def test_a_rate_holds_over_four_workers(tmp_path):
    """Of 2,000 jobs no second has over 115 starts, and the whole goes at 90 a second or more."""
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_context(Service(tmp_path, "gateway", target=TARGET)).ready()
        ids = await posted(gateway.url, "/rated", [{}] * 2_000)
        for _ in range(4):
            stack.enter_context(Service(tmp_path, "worker", target=TARGET))
        await all_ended(tmp_path)
        ended = await documents(gateway.url, ids)
    starts = sorted(document["result"]["began"] for document in ended)
    rate = (len(starts) - 1) / (starts[-1] - starts[0])
    print(f"most in a second {most_within(starts, 1.0)}, {rate:.1f} a second")
    assert most_within(starts, 1.0) <= 115
    assert rate >= 90


async def test_five_at_once_over_four_workers_and_two_gateways(tmp_path):
    """Two queued operations and two direct ones share the limit; none of the jobs is lost."""
    async with served(tmp_path, second_gateway=True) as (service, clients):
        paths, keys = ["/five", "/both"], [f"k{n}" for n in range(10)]
        jobs, calls = await mixed_load(service, clients, paths, keys)
    assert most_at_once(jobs + calls) == 5
    assert len(jobs) == 600
    assert calls, "a direct call finds room now and then"


async def test_two_at_once_for_each_key(tmp_path):
    """Over both doors, four workers and two gateways; the keys do not wait for one another."""
    async with served(tmp_path, second_gateway=True) as (service, clients):
        keys = [f"k{n}" for n in range(10)]
        jobs, calls = await mixed_load(service, clients, ["/keyed"], keys)
    by_key = defaultdict(list)
    for span in jobs + calls:
        by_key[span["key"]].append(span)
    assert {most_at_once(spans) for spans in by_key.values()} == {2}
    assert most_at_once(jobs + calls) > 5


async def test_a_blocked_key_holds_up_no_other(tmp_path):
    """500 jobs of one key wait for it; another key's job, accepted last, runs at once."""
    go = tmp_path / "go"
    async with served(tmp_path, workers=1) as (service, (client,)):
        busy = await posted(service.url, "/keyed/queued", [{"key": "busy", "until": str(go)}] * 500)
        other = await client.post("/keyed/queued", json={"key": "other"})
        document = await until_done(client, other.json()["id"])
        waiting = (await client.get(f"/jobs/{busy[-1]}")).json()
        go.touch()
        await all_ended(tmp_path)
    assert (document["status"], waiting["status"]) == ("succeeded", "queued")
    assert set(states_in(tmp_path).values()) == {"succeeded"}


async def test_a_killed_worker_gives_its_share_back(tmp_path):
    """The one place there is comes back when its holder dies, long before the lease is over."""
    go = tmp_path / "go"
    async with served(tmp_path, workers=1) as (service, (client,)):
        first = (await client.post("/one", json={"until": str(go)})).json()["id"]
        while (await client.get(f"/jobs/{first}")).json()["status"] != "running":
            await tick()
        second = (await client.post("/one", json={})).json()["id"]
        os.kill(service.children()["worker"], signal.SIGKILL)
        go.touch()
        ended = [await until_done(client, job) for job in (second, first)]
        stats = (await client.get("/admin/stats")).json()
    assert {document["status"] for document in ended} == {"succeeded"}
    (use,) = [use for use in stats["limits"] if use["limit"] == "one"]
    assert use["running"] == use["held"] == 0


async def test_a_killed_gateway_gives_its_share_back(tmp_path):
    """The next gateway's calls find room, long before the share would have lapsed."""
    body = {"until": str(tmp_path / "never")}
    with Service(tmp_path, "gateway", target=TARGET) as first:
        await first.ready()
        async with httpx.AsyncClient(base_url=first.url, timeout=60) as client:
            lost = asyncio.ensure_future(client.post("/one/direct", json=body))
            while (await client.post("/one/direct", json=body | {"until": ""})).status_code != 503:
                await tick()
            first.stop(signal.SIGKILL)
            with pytest.raises(httpx.TransportError):
                await lost
    first.log.unlink()
    with Service(tmp_path, "gateway", target=TARGET) as second:
        await second.ready()
        async with httpx.AsyncClient(base_url=second.url, timeout=60) as client:
            response = await client.post("/one/direct", json={})
    assert response.status_code == 200, response.text


async def test_five_at_once_while_workers_are_killed(tmp_path):
    """What a dead process held is used again, and never twice."""
    async with served(tmp_path) as (service, (client,)):
        load = asyncio.ensure_future(
            run_all(service, "/five/queued", [{"seconds": 0.02, "key": "k"}] * 1_000)
        )
        for _ in range(6):
            await settled_some(client)
            workers = [pid for pid, name in service._listed() if name == "worker"]
            if workers:
                os.kill(random.choice(workers), signal.SIGKILL)
        done = await load
    assert {document["status"] for document in done} == {"succeeded"}
    assert most_at_once([document["result"] for document in done]) == 5


async def settled_some(client):
    """Return once another fifty jobs have ended."""
    before = await ended(client)
    while await ended(client) < before + 50:
        await tick()


async def ended(client):
    stats = (await client.get("/admin/stats")).json()
    return sum(one["counts"]["succeeded"] for one in stats["operations"])


async def run_all(service, path, bodies):
    """The documents of jobs that have all been posted, and have ended."""
    ids = await posted(service.url, path, bodies)
    await all_ended(service.folder)
    return await documents(service.url, ids)


async def mixed_load(service, clients, paths, keys):
    """600 jobs and, as long as they run, direct calls through every gateway: the spans of each."""
    bodies = [{"key": keys[number % len(keys)], "seconds": 0.02} for number in range(600)]
    per_path = len(bodies) // len(paths)
    load = asyncio.gather(
        *(
            run_all(service, f"{path}/queued", bodies[n * per_path : (n + 1) * per_path])
            for n, path in enumerate(paths)
        )
    )
    calls = []

    async def call(client, path, number):
        async with lines(str(client.base_url), 1) as (line,):
            while not load.done():
                body = {"key": keys[number % len(keys)], "seconds": 0.02}
                answer = await line.post(f"{path}/direct", body)
                if answer.status == 200:
                    calls.append(answer.json())
                else:
                    assert answer.status == 503, answer.body
                    await tick()

    callers = [
        call(client, path, number) for number in range(4) for client in clients for path in paths
    ]
    done, *_ = await asyncio.gather(load, *callers)
    return [document["result"] for part in done for document in part], calls


def most_within(moments, seconds):
    """The most of the sorted moments that any window of so many seconds has."""
    most = first = 0
    for last, moment in enumerate(moments):
        while moment - moments[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def most_at_once(spans):
    """The most spans that overlap."""
    steps = sorted(step for span in spans for step in ((span["began"], 1), (span["ended"], -1)))
    most = now = 0
    for _, step in steps:
        now += step
        most = max(most, now)
    return most

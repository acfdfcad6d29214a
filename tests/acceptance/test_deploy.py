"""The files of `examples/deploy`, in use: the proxy, the backup, the unit, the image's steps.

Not covered: the image itself (its base, its user, the owner of the volume, how it is stopped),
compose.yaml under an engine for containers (its commands are run here, without one), and the unit
under a running systemd.
"""

import asyncio
import json
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import pytest
from deployed import CHECKOUT, DEPLOY, Behind, Image, Proxy, composed, until_ready
from followers import events_of
from service import Service, tick, until_done
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tools import tool

pytestmark = pytest.mark.slow

TOKEN = "for-this-test-alone"
SHOP = {"PYTHONPATH": str(CHECKOUT / "examples" / "shop")}
VACUUM = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('VACUUM INTO ?', sys.argv[2:])"
BACKUPS = {
    "eitherway backup": lambda source, target: [
        "-m", "eitherway", "backup", target, "--engine", f"sqlite:///{source}"
    ],
    "VACUUM INTO": lambda source, target: ["-c", VACUUM, source, target],
}  # fmt: skip


@pytest.fixture
def proxy(tmp_path):
    return Proxy(tmp_path / "nginx")


@pytest.fixture
async def outside(tmp_path, proxy):
    """A client of nginx before `eitherway run`, without a token."""
    service = Behind(tmp_path, "run")
    with ExitStack() as stack:
        stack.callback(service.start(EITHERWAY_PUBLIC_URL=proxy.url).stop)
        stack.enter_context(proxy.before([service.url], [service.url]))
        async with proxy.client() as client:
            await until_ready(client)
            yield client


def told(proxy, query, **options):
    """A WebSocket through the proxy."""
    url = f"{proxy.url.replace('https', 'wss', 1)}/events{query}"
    return connect(url, ssl=proxy.tls, subprotocols=["cloudevents.json"], **options)


async def until_final(socket):
    """The type of each event, up to the one that ends the job."""
    types = []
    while not types or types[-1] not in {"succeeded", "failed"}:
        event = json.loads(await asyncio.wait_for(socket.recv(), 30))
        types.append(event["type"].rpartition(".")[2])
    return types


async def test_a_202_names_the_public_url_and_the_long_poll_works(outside, proxy):
    accepted = await outside.post("/increments", json={"key": "k", "note": "n"})
    assert accepted.status_code == 202
    location = accepted.headers["location"]
    assert location.startswith(f"{proxy.url}/jobs/")
    polled = await outside.get(location, headers={"prefer": "wait=60"})
    assert polled.json()["status"] == "succeeded"
    assert polled.json()["links"]["result"].startswith(proxy.url)
    assert (await outside.get(polled.json()["links"]["result"])).status_code == 201


async def test_events_arrive_while_the_job_still_runs(outside, tmp_path):
    """The job ends only once its stream has told, through the proxy, that it runs."""
    note = tmp_path / "go on"
    job = (await outside.post("/slow", json={"key": "k", "note": str(note)})).json()["id"]
    types = []
    async with outside.stream("GET", f"/jobs/{job}/events") as response:
        async for event in events_of(response):
            types.append(event["type"].rpartition(".")[2])
            if types[-1] == "progress" or event["data"]["progress"]:
                note.touch()
    assert note.exists()
    assert types[-1] == "succeeded"


async def test_a_websocket_is_told_and_an_alien_page_is_refused(outside, proxy):
    job = (await outside.post("/flaky", json={"key": "k"})).json()["id"]
    async with told(proxy, f"?jobs={job}", origin=proxy.url) as socket:
        assert (await until_final(socket))[-1] == "succeeded"
    with pytest.raises(InvalidStatus) as refused:
        await told(proxy, f"?jobs={job}", origin="https://elsewhere.example").__aenter__()
    assert refused.value.response.status_code == 403


async def test_operators_and_figures_are_kept_from_the_outside(outside):
    """Although the proxy is on the same machine, and `Host` says localhost."""
    assert outside.base_url.host == "localhost"
    refused = await outside.get("/admin/stats")
    assert refused.status_code == 403
    assert refused.json()["type"].endswith("operators-only")
    assert (await outside.post("/admin/dead/purge", json={"ids": []})).status_code == 403
    assert (await outside.get("/metrics")).status_code == 404


async def test_the_parts_of_compose_serve_one_file(tmp_path, proxy):
    """Its commands, behind the proxy; with the gateway away, clients still follow their jobs."""
    services = {}
    for name, (command, target, *flags) in composed().items():
        kind = Service if command == "worker" else Behind
        services[name] = kind(tmp_path, command, *flags, target=target)
    gateway, status = services["gateway"], services["status"]
    with ExitStack() as stack:
        for service in services.values():
            service.start(**SHOP, EITHERWAY_PUBLIC_URL=proxy.url, EITHERWAY_ADMIN_TOKEN=TOKEN)
            stack.callback(service.stop)
        await asyncio.gather(gateway.ready(), status.ready())
        stack.enter_context(proxy.before([gateway.url], [status.url]))
        async with proxy.client() as client:
            await until_ready(client)
            order = {"order_id": "A-1", "amount": 9.5}
            accepted = await client.post("/orders/flaky", json=order)
            assert accepted.status_code == 202
            async with told(proxy, f"?jobs={accepted.json()['id']}") as socket:
                assert (await until_final(socket))[-1] == "succeeded"
            await check_admin(client)
            assert gateway.stop() == 0
            assert (await client.post("/orders", json=order)).status_code == 502
            followed = await client.get(accepted.headers["location"])
            assert followed.json()["result"] == order


async def check_admin(client):
    """Behind the proxy: by the token alone."""
    assert (await client.get("/admin/stats")).status_code == 401
    for token, expected in (("wrong", 401), (TOKEN, 200)):
        headers = {"authorization": f"Bearer {token}"}
        assert (await client.get("/admin/stats", headers=headers)).status_code == expected


async def test_one_of_two_gateways_may_be_stopped(tmp_path, proxy):
    """Each in turn, under requests: none is refused while the other one serves."""
    one, other = (
        Behind(tmp_path, "gateway", "--serve", part) for part in ("operations", "operations,status")
    )
    with ExitStack() as stack:
        for service in (one, other):
            stack.enter_context(service)
            await service.ready()
        stack.enter_context(proxy.before([one.url, other.url], [other.url]))
        async with proxy.client() as client:
            await until_ready(client)
            for service in (one, other):
                assert service.stop() == 0
                answers = [await client.post("/increments", json={"key": "k"}) for _ in range(20)]
                assert [answer.status_code for answer in answers] == [202] * 20
                service.start()
                await service.ready()


@pytest.mark.parametrize("how", BACKUPS)
async def test_a_backup_under_load_has_every_acknowledged_job(tmp_path, how):
    """Taken by another process; restored elsewhere, a worker finishes what it holds."""
    backup, note = tmp_path / "backup.db", tmp_path / "go on"
    with Service(tmp_path, "run") as service:
        await service.ready()
        async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
            running = (await client.post("/slow", json={"key": "s", "note": str(note)})).json()
            while (await client.get(f"/jobs/{running['id']}")).json()["progress"] is None:
                await tick()
            load = Load(client)
            tasks = [asyncio.create_task(load.run()) for _ in range(8)]
            await load.until(200)
            acknowledged = {**load.accepted}
            command = BACKUPS[how](str(tmp_path / "jobs.db"), str(backup))
            copying = await asyncio.create_subprocess_exec(sys.executable, *command)
            assert await copying.wait() == 0
            assert len(load.accepted) > len(acknowledged), "nothing was accepted meanwhile"
            load.stopped = True
            await asyncio.gather(*tasks)
    await check_restored(tmp_path / "restored", backup, acknowledged, running["id"], note)


async def check_restored(folder, backup, acknowledged, running, note):
    """On the copy: the jobs are there, the one that ran runs again, and all of them succeed."""
    folder.mkdir()
    shutil.copy(backup, folder / "jobs.db")
    with closing(sqlite3.connect(folder / "jobs.db")) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    note.touch()
    with Service(folder, "run") as service:
        await service.ready()
        async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
            for job in [running, *acknowledged]:
                assert (await until_done(client, job))["status"] == "succeeded"
            rows = [(await client.get(f"/runs/{key}")).json() for key in acknowledged.values()]
    assert rows == list(acknowledged)


class Load:
    """POSTs until it is stopped; notes what was acknowledged: job to key."""

    def __init__(self, client):
        self.accepted = {}
        self.stopped = False
        self._client = client
        self._keys = iter(range(1_000_000))

    async def run(self):
        while not self.stopped:
            key = f"k{next(self._keys)}"
            answer = await self._client.post("/increments", json={"key": key, "note": "all"})
            assert answer.status_code == 202
            self.accepted[answer.json()["id"]] = key

    async def until(self, count):
        while len(self.accepted) < count:
            await tick()


def test_systemd_has_nothing_to_say_of_the_unit(tmp_path):
    """It names what it does not know, and still ends with 0."""
    unit = (DEPLOY / "eitherway-shop.service").read_text()
    here = Path(sys.executable).with_name("eitherway")
    (tmp_path / "shop.service").write_text(unit.replace("/srv/shop/.venv/bin/eitherway", str(here)))
    command = [tool("systemd-analyze"), "verify", "--man=no", str(tmp_path / "shop.service")]
    verified = subprocess.run(command, capture_output=True, text=True, check=False)
    said = [line for line in verified.stderr.splitlines() if "shop.service" in line]
    assert (verified.returncode, said) == (0, [])


def test_the_steps_of_the_image_make_a_shop_that_answers(tmp_path):
    """A fresh virtual environment, the checkout installed in it, the command, the health check."""
    image = Image(tmp_path / "image")
    image.build()
    environment = {**image.environ(), "EITHERWAY_PORT": "0"}
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            image.command, cwd=image.folder, env=environment, stderr=output, stdout=output
        )
    try:
        while (
            found := re.search(r"is served at http://0\.0\.0\.0:(\d+)", log.read_text())
        ) is None:
            assert process.poll() is None, log.read_text()
        url = f"http://127.0.0.1:{found[1]}"
        with httpx.Client(base_url=url, timeout=60) as client:
            while client.get("/readyz").status_code != 200:
                pass
            accepted = client.post("/orders", json={"order_id": "A-1", "amount": 9.5})
            assert accepted.status_code == 202
            polled = client.get(accepted.headers["location"], headers={"prefer": "wait=30"})
            assert polled.json()["status"] == "succeeded"
            assert client.get("/admin/stats").status_code == 403  # it listens to everybody
        check = [word.replace("http://127.0.0.1:8000", url) for word in image.health]
        subprocess.run(check, env=environment, check=True, timeout=60)
    finally:
        process.terminate()
        assert process.wait(timeout=60) == 0
    assert (image.root / "var" / "lib" / "shop" / "shop.db").exists()

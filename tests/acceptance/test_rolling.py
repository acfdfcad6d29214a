"""A deploy loses nothing: two versions of an app on one store, the old one stopped under load."""

import asyncio
from collections import Counter

import httpx
import pytest
from service import Service, tick, until_done

pytestmark = pytest.mark.slow

CENTS = 150
AT_ONCE = 4
ENOUGH = 100
"""How many jobs make a stage of the deploy a loaded one."""


async def test_a_rolling_deploy_under_load_loses_nothing(tmp_path):
    """Every 202's job succeeds once; what the old worker must leave alone it never starts."""

    def version(name, command):
        return Service(tmp_path, command, target=f"deploy_{name}:app")

    with version("old", "gateway") as old_gateway, version("old", "worker") as old_worker:
        await old_gateway.ready()
        async with Load(old_gateway, version=1) as old:
            await old.some_more()
            with version("new", "gateway") as new_gateway:
                await new_gateway.ready()
                async with Load(new_gateway, version=2) as new:
                    await new.some_more()
                    await the_old_worker_leaves_alone(old, new)
                    with version("new", "worker"):
                        await old.some_more()
                        assert await asyncio.to_thread(old_worker.stop) == 0
                        await old.some_more()  # for the new worker, through upgrade
                        assert await asyncio.to_thread(old_gateway.stop) == 0
                        await old.until_refused()
                        await new.some_more()
                        await new.until_stopped()
                        by_old_and_new = await succeeded_once(new.client, old)
                        by_new = await succeeded_once(new.client, new)

    assert old.unanswered <= AT_ONCE  # while it stopped; they may or may not have been accepted
    assert new.unanswered == 0
    assert by_old_and_new["old"] >= ENOUGH
    assert by_old_and_new["new"] >= ENOUGH
    assert by_new == {"new": len(new.accepted)}


async def the_old_worker_leaves_alone(old, new):
    """It has had its chance: what was accepted after them has been run by it."""
    before = len(old.accepted)
    await old.some_more()
    for job_id in list(old.accepted)[before:][:ENOUGH]:
        assert (await until_done(new.client, job_id))["result"] == "old"
    left = list(new.accepted)[:ENOUGH]
    for job_id in left:
        document = (await new.client.get(f"/jobs/{job_id}")).json()
        assert (document["status"], document["attempts"]) == ("queued", [])
        assert document["attempt"] == 0
    assert {new.path_of(new.accepted[job_id]) for job_id in left} == {"/orders", "/receipts"}


class Load:
    """Requests of one version to one gateway, several at a time, until it is stopped."""

    def __init__(self, service, *, version):
        self.accepted = {}  # job id: key
        self.unanswered = 0
        self.client = httpx.AsyncClient(base_url=service.url, timeout=60)
        self._version = version
        self._numbers = iter(range(1_000_000))
        self._stopping = False

    async def __aenter__(self):
        self._senders = [asyncio.ensure_future(self._send()) for _ in range(AT_ONCE)]
        return self

    async def __aexit__(self, *_):
        for sender in self._senders:
            sender.cancel()
        await asyncio.gather(*self._senders, return_exceptions=True)
        await self.client.aclose()

    async def some_more(self):
        """Return once more have been accepted."""
        until = len(self.accepted) + ENOUGH
        while len(self.accepted) < until:
            assert not all(sender.done() for sender in self._senders), self._senders
            await tick()

    async def until_stopped(self):
        """Send no more, and wait for the answers."""
        self._stopping = True
        await self.until_refused()

    async def until_refused(self):
        """Return once every sender has met a gateway that is gone."""
        await asyncio.gather(*self._senders)

    def path_of(self, key):
        odd = key[-1] in "13579"
        return "/receipts" if self._version == 2 and odd else "/orders"

    async def _send(self):
        while not self._stopping:
            key = f"v{self._version}-{next(self._numbers)}"
            amount = {"euros": CENTS / 100} if self._version == 1 else {"cents": CENTS}
            try:
                response = await self.client.post(self.path_of(key), json={"key": key, **amount})
            except httpx.TransportError:
                self.unanswered += 1
                return
            assert response.status_code == 202, response.text
            self.accepted[response.json()["id"]] = key


async def succeeded_once(client, load):
    """Every job has ended well, its row is its own and right; who ran how many."""
    ran = Counter()
    for job_id, key in load.accepted.items():
        document = await until_done(client, job_id)
        assert document["status"] == "succeeded", document
        outcomes = [attempt["outcome"] for attempt in document["attempts"]]
        assert outcomes[-1] == "succeeded"
        assert set(outcomes[:-1]) <= {"interrupted"}  # given back by the old worker's drain
        row = (await client.get(f"/runs/{key}")).json()
        assert (row["job"], row["cents"]) == (job_id, CENTS)
        assert row["by"] == document["result"]
        if key.startswith("v2"):
            assert outcomes == ["succeeded"]
        ran[row["by"]] += 1
    return ran

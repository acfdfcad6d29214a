"""The shop on DynamoDB and SQS, as real processes; AWS is moto on loopback."""

import os
import signal
from pathlib import Path

import httpx
import pytest
from service import Service, tick, until_done

from aws import REGION

pytestmark = pytest.mark.slow

SHOP = Path(__file__).parents[2] / "examples" / "shop"


class AwsService(Service):
    """`eitherway COMMAND TARGET` on a stack of its own."""

    def __init__(self, folder, environment, *command, target):
        super().__init__(folder, *command, target=target)
        self.environment = environment
        stack = folder.name.replace("_", "-")[-30:].strip("-")
        self._command[self._command.index(self.engine)] = f"aws://{REGION}/a{stack}"

    def start(self, **environment):
        path = os.pathsep.join([str(SHOP), str(Path(__file__).parent)])
        return super().start(**self.environment, PYTHONPATH=path, **environment)


async def test_the_shop_takes_orders_both_ways(tmp_path, moto_environment):
    """Queued: a job at once, whose end is told; direct: an answer on the call. One table."""
    with AwsService(tmp_path, moto_environment, "run", target="shop:app") as service:
        await service.ready()
        async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
            queued = await client.post("/orders", json={"order_id": "q", "amount": 1})
            assert queued.status_code == 202, queued.text
            document = await until_done(client, queued.json()["id"])
            direct = await client.post("/orders/direct", json={"order_id": "d", "amount": 2})
            orders = [(await client.get(f"/orders/{name}")).json() for name in "qd"]

    assert document["status"] == "succeeded"
    assert direct.status_code == 200, direct.text
    assert direct.json()["amount"] == 2
    assert [order["amount"] for order in orders] == [1, 2]


async def test_a_killed_worker_leaves_its_job_to_the_next_one(tmp_path, moto_environment):
    """Its lease lapses, the job runs once more, and what it writes is there once."""
    gateway = AwsService(tmp_path, moto_environment, "gateway", target="aws_apps:app")
    first = AwsService(tmp_path, moto_environment, "worker", target="aws_apps:app")
    second = AwsService(tmp_path, moto_environment, "worker", target="aws_apps:app")
    gate = tmp_path / "gate"
    with gateway, first:
        await gateway.ready()
        async with httpx.AsyncClient(base_url=gateway.url, timeout=60) as client:
            sent = {"key": "k", "gate": str(gate)}
            job_id = (await client.post("/slow", json=sent)).json()["id"]
            while (await client.get(f"/jobs/{job_id}")).json()["status"] != "running":
                await tick()
            first.stop(signal.SIGKILL)
            gate.touch()
            with second:
                document = await until_done(client, job_id)
            run = (await client.get("/runs/k")).json()

    assert document["status"] == "succeeded"
    assert run == job_id
    print(document)
    assert [attempt["outcome"] for attempt in document["attempts"]] == [
        "lease_lost",
        "succeeded",
    ], document

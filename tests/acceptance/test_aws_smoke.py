"""`eitherway aws smoke`, from outside: against a server here, as it would be against a stack."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from service import Service

SHOP = Path(__file__).parents[2] / "examples" / "shop"


def smoke(url: str, *arguments: str):
    command = [sys.executable, "-m", "eitherway", "aws", "smoke", "--url", url, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture
async def served(tmp_path: Path):
    service = Service(tmp_path, "run", target="shop:app").start(PYTHONPATH=str(SHOP))
    try:
        yield (await service.ready()).url
    finally:
        service.stop()


async def test_an_order_each_way_is_answered_told_of_and_done_by_its_status(served: str):
    body = json.dumps({"order_id": "smoke", "amount": 1})
    ran = smoke(
        served, "--direct", "POST /orders/direct", "--queued", "POST /orders", "--body", body
    )
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    assert lines[0].startswith("direct: POST /orders/direct 200")
    assert "202" in lines[1]
    assert lines[2].startswith("told over the WebSocket: succeeded")
    assert lines[3].startswith("by its status: succeeded")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--queued", "POST /orders/direct"], "a queued request is answered with 200"),
        (["--direct", "POST /orders"], "a direct call is answered with 202"),
        (["--direct", "POST /nowhere"], "404"),
        (["--direct", "POST /orders/direct", "--body", "{}"], "422"),
        (["--queued", "POST /orders", "--socket", "ws://127.0.0.1:9/events"], "ws://127.0.0.1:9"),
    ],
)
async def test_what_is_not_so_is_one_line(served: str, arguments: list[str], says: str):
    body = [] if "--body" in arguments else ["--body", '{"order_id": "smoke", "amount": 1}']
    ran = smoke(served, *arguments, *body)
    assert (ran.returncode, ran.stderr.count("\n")) == (1, 1), ran.stderr
    assert says in ran.stderr


def test_a_server_that_is_not_there_is_one_line():
    ran = smoke("http://127.0.0.1:9", "--direct", "GET /")
    assert (ran.returncode, ran.stderr.count("\n")) == (1, 1), ran.stderr

"""The demo's app on AWS, offline: the stack that `eitherway aws build` makes, in MiniStack."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from eitherway.aws.imports import import_seconds
from stacks import ROOT, MiniStack, Stack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SHOP = ROOT / "examples" / "shop"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MiniStack]:
    with MiniStack(tmp_path) as server:
        yield server


def test_one_order_each_way_told_over_the_socket_and_by_status(
    server: MiniStack, capsys: pytest.CaptureFixture[str]
) -> None:
    with Stack(server, SHOP, "shop:app") as stack:
        began = time.monotonic()
        direct = stack.http.post("/orders/direct", json={"order_id": "d-1", "amount": 2})
        assert (direct.status_code, direct.json()) == (200, {"order_id": "d-1", "amount": 2.0})
        with stack.socket() as socket:
            queued = stack.http.post(
                "/orders", json={"order_id": "q-1", "amount": 3}, headers={"traceparent": TRACE}
            )
            assert queued.status_code == 202, queued.text
            receipt = queued.json()
            assert (receipt["status"], receipt["recorded"]) == ("queued", False)
            socket.send(json.dumps({"subscribe": [receipt["id"]]}))
            told = [json.loads(socket.recv(timeout=30))]
            while not told[-1]["data"]["done"]:
                told.append(json.loads(socket.recv(timeout=30)))
        assert told[-1]["type"] == "eitherway.job.succeeded"
        assert told[-1]["data"]["result"] == {"order_id": "q-1", "amount": 3.0}
        assert told[-1]["traceparent"].split("-")[1] == TRACE.split("-")[1]
        result = stack.http.get(stack.path_of(receipt["links"]["result"]))
        assert (result.status_code, result.json()) == (200, told[-1]["data"]["result"])
        document = stack.job(receipt["links"]["self"])
        assert document["status"] == "succeeded"
        assert document["result"] == told[-1]["data"]["result"]
        for order_id in ("d-1", "q-1"):
            assert stack.http.get(f"/orders/{order_id}").json()["order_id"] == order_id
        wrong = stack.http.post("/orders", json={"order_id": 1})
        assert (wrong.status_code, wrong.json()["type"]) == (422, "/problems/invalid-input")
        seconds = time.monotonic() - began
    each = import_seconds("shop:app", SHOP)
    imports = ", ".join(f"{handler} {taken:.2f} s" for handler, taken in each.items())
    with capsys.disabled():
        print(
            f"\n{len(stack.resources)} resources, {stack.template_bytes} bytes of template, "
            f"built in {stack.build_seconds:.1f} s, created in {stack.create_seconds:.1f} s, "
            f"used in {seconds:.1f} s\nimports, the app with them: {imports}"
        )

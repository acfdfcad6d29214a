"""docs/reference/parity.md is its data, and the picture in the how-to is what `aws build` draws."""

import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from eitherway.aws import parity
from eitherway.aws.lint import lint, read_template

from .conftest import ROOT

HOW_TO = ROOT / "docs" / "how-to"
REFERENCE = ROOT / "docs" / "reference"


def test_the_page_is_the_data() -> None:
    assert (REFERENCE / "parity.md").read_text() == parity.page()


def rows(title: str) -> dict[str, parity.Row]:
    found = next(section for section in parity.sections() if section.title == title)
    return {row.promise: row for row in found.rows}


def test_every_delivery_and_preference_has_a_row() -> None:
    requests = ["plain request", "`Prefer: respond-async`", "`Prefer: wait=n`", "past its limit"]
    wanted = [f"`{one}`, {how}" for one in ("direct", "queued", "auto") for how in requests]
    assert list(rows("Deliveries")) == wanted


def test_every_guarantee_has_a_row() -> None:
    page = (ROOT / "docs" / "explanation" / "guarantees.md").read_text()
    explained = {heading.lower() for heading in re.findall(r"^## (.+)$", page, re.MULTILINE)}
    listed = list(rows("Guarantees"))
    assert [int(promise.split(".")[0]) for promise in listed] == list(range(1, 11))
    known = [promise.partition(". ")[2].lower() in explained for promise in listed]
    assert sum(known) >= 5, explained


def test_every_path_of_the_gateway_has_a_row() -> None:
    page = (REFERENCE / "http.md").read_text().partition("## ")[0]
    paths = set(re.findall(r"/[a-z][\w.]*", " ".join(re.findall(r"`([^`]*)`", page))))
    said = " ".join(rows("Paths"))
    served = {path for path in paths if path not in ("/name", "/result", "/events")}
    assert [path for path in sorted(served) if path not in said] == []


def test_what_differs_says_how() -> None:
    rows = [row for section in parity.sections() for row in section.rows]
    assert {row.verdict for row in rows} == {"same", "different", "refused"}
    assert [row.promise for row in rows if row.verdict != "same" and not row.how] == []


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("aws") / "out"
    command = [sys.executable, "-m", "eitherway", "aws", "build", "shop:app", "--no-zip", "--json"]
    ran = subprocess.run(
        [*command, "--out", str(out)],
        cwd=ROOT / "examples" / "shop",
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    (out / "said.json").write_text(ran.stdout)
    return out


def test_the_picture_in_the_how_to_is_what_build_draws(built: Path) -> None:
    drawn = (built / "picture.svg").read_text()
    assert (HOW_TO / "pictures" / "shop-on-aws.svg").read_text() == drawn
    assert "pictures/shop-on-aws.svg" in (HOW_TO / "deploy-to-aws.md").read_text()


def test_the_picture_shows_each_route_queue_and_table(built: Path) -> None:
    texts = [one.text for one in ElementTree.parse(built / "picture.svg").iter() if one.text]
    shown = "\n".join(texts)
    for wanted in (
        *("POST /orders", "POST /orders/direct", "GET /orders/{order_id}"),
        *("shop_place_order · 2 invocations x 4", "shop-items · orders", "WebSocket API"),
        *("request-response", "event-driven"),
    ):
        assert wanted in shown


def test_the_costs_in_the_how_to_are_those_that_build_says(built: Path) -> None:
    page = (HOW_TO / "deploy-to-aws.md").read_text()
    said = json.loads((built / "said.json").read_text())
    assert f"prices of {said['prices']['date']} in {said['prices']['region']}" in page
    for one in said["operations"]:
        parts = [one["cost_parts"][name] for name in ("api", "functions", "queue", "table")]
        cells = [f"{cost:.2f}" for cost in (*parts, one["cost"])]
        assert f"| `{one['operation']}` | {one['delivery']} | {' | '.join(cells)} |" in page
    assert f"polls of a job's status are {said['cost_poll']:.2f}," in page
    assert f"a WebSocket that is open {said['cost_told']:.2f};" in page
    assert f"nobody calls is {said['cost_idle_month']:.2f}:" in page


def test_what_is_built_is_without_traps(built: Path) -> None:
    assert lint(read_template(built / "template.json")) == []

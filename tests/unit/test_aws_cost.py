"""What a million calls cost: by hand, from the template's own figures."""

import json

import pytest
from aws_examples import plan_of, rich, shop, small
from pydantic import ValidationError

from eitherway import App, Limit
from eitherway.aws.cost import Assumed, Cost, Prices, costs
from eitherway.aws.template import template
from eitherway.errors import ConfigurationError


def cost_of(app: App, name: str, *, architecture: str = "arm64", **assumed) -> Cost:
    plan = plan_of(app)
    document = template(
        plan,
        "shop:app",
        runtime="python3.13",
        architecture=architecture,
        code_key="code.zip",
        environment=[],
    )
    return dict(costs(plan, document, Prices.read(), Assumed(**assumed)))[name]


def test_a_direct_call_by_hand():
    cost = cost_of(shop(), "place_order_now")
    assert cost.api == 3.5
    seconds, gigabytes = 0.05 + 0.02, 0.5
    assert cost.functions == pytest.approx(0.2 + seconds * gigabytes * 13.3334)
    assert (cost.queue, cost.table) == (0, 2 * 0.625)


def test_a_queued_call_by_hand():
    cost = cost_of(shop(), "place_order")  # batches of 4
    assert cost.queue == pytest.approx((1 + 2 / 4) * 0.4)
    created, ended, items, counters = 1 + 2, 2 + 1, 2, 3 / 4
    assert cost.table == pytest.approx((created + ended + items + counters) * 0.625 + 2 * 0.125)
    told = 2 / 10 * (0.2 + 0.02 * 0.5 * 13.3334)
    assert cost.functions == pytest.approx((0.2 + 0.07 * 0.5 * 13.3334) / 4 + told)


def test_a_function_in_front_costs_more_than_none():
    queued = {"delivery": "queued", "timeout_seconds": 5}
    straight = cost_of(small(**queued), "place_order")
    stored = cost_of(small(**queued, accept="function"), "place_order")
    assert stored.functions > straight.functions
    assert stored.table > straight.table
    assert stored.api == straight.api


def test_larger_batches_are_cheaper():
    two, twenty = (
        cost_of(small(delivery="queued", limit=Limit(in_flight=n)), "place_order") for n in (4, 20)
    )
    assert twenty.sum < two.sum


def test_arm_is_cheaper_and_a_read_is_cheaper_than_a_write():
    arm, intel = (cost_of(shop(), "read_order", architecture=one) for one in ("arm64", "x86_64"))
    assert arm.functions < intel.functions
    assert arm.table < cost_of(shop(), "place_order_now").table


def test_what_nobody_calls_by_http_pays_no_api():
    assert cost_of(rich(), "tidy_up").api == 0


@pytest.mark.parametrize(
    "change", [{"date": None}, {"rest_million_requests": -1}, {"unknown": 1}, {"currency": 3}]
)
def test_prices_are_checked(tmp_path, change):
    file = tmp_path / "prices.json"
    file.write_text(json.dumps(json.loads(Prices.read().model_dump_json()) | change))
    with pytest.raises(ConfigurationError, match=next(iter(change))):
        Prices.read(file)
    with pytest.raises(ValidationError):
        Prices.model_validate_json(file.read_text())

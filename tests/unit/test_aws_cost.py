"""What a million calls cost: by hand, from the template's own figures."""

import json

import pytest
from aws_examples import of_type, plan_of, rich, shop, small, template_of
from pydantic import ValidationError

from eitherway import App, Limit
from eitherway.aws.cost import Assumed, Cost, Costs
from eitherway.aws.prices import Prices
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
    )
    return dict(Costs(document, Prices.read(), Assumed(**assumed)).of(plan))[name]


def test_a_direct_call_by_hand():
    cost = cost_of(shop(), "place_order_now")
    assert cost.api == 3.5
    seconds, gigabytes = 0.05 + 0.02, 0.5
    assert cost.functions == pytest.approx(0.2 + seconds * gigabytes * 13.3334)
    item, limit = 1, 2
    assert (cost.queue, cost.table) == (0, (item + limit) * 0.625)
    two, transaction = cost_of(shop(), "place_order_now", item_writes=2), 2
    assert two.table == (2 * transaction + limit) * 0.625


def test_a_read_by_hand():
    limit = 2  # that of an operation which names none
    assert cost_of(shop(), "read_order").table == pytest.approx(limit * 0.625 + 0.125)


def test_a_queued_call_by_hand():
    cost = cost_of(shop(), "place_order")  # batches of 4
    assert cost.queue == pytest.approx((1 + 2 / 4) * 0.4)
    taken, settled, forgotten = 1 + 2, 2 + 2, (1 + 2 + 1) + (1 + 1)
    items, counters, limit = 2, 2 / 4, 2 / 4
    written = taken + settled + forgotten + items + counters + limit
    assert cost.table == pytest.approx(written * 0.625 + 2 * 0.125)
    told = 2 / 10 * (0.2 + 0.02 * 0.5 * 13.3334)
    assert cost.functions == pytest.approx((0.2 + 0.07 * 0.5 * 13.3334) / 4 + told)


def test_a_stored_call_by_hand():
    cost = cost_of(small(delivery="queued", accept="function"), "place_order")
    stored, taken, settled, forgotten = 1 + 3, 1 + 1 + 2, 2 + 2, (1 + 2 + 1) + (1 + 1)
    items, counted, counters, limit = 2, 1, 2 / 10, 2 / 10
    written = stored + taken + settled + forgotten + items + counted + counters + limit
    assert cost.table == pytest.approx(written * 0.625 + 2 * 0.125)


def test_what_comes_beside_calls_by_hand():
    plan = plan_of(shop())
    document = template_of(shop())
    costs = Costs(document, Prices.read(), Assumed())
    short = 0.2 + 0.02 * 0.5 * 13.3334
    assert costs.poll() == pytest.approx(3.5 + short + 0.125)
    assert costs.told() == pytest.approx((1 + 3) * 1.0 + short + 2 * 0.625)
    alarms, queues = (len(of_type(document, k)) for k in ("CloudWatch::Alarm", "SQS::Queue"))
    assert queues == 2 * sum(one.queue is not None for one in plan.operations) + 1
    month = 365 / 12 * 24 * 60 / 1e6  # minutes, in millions
    polled = queues * 15 * month * 0.4
    assert costs.idle_month() == pytest.approx(alarms * 0.1 + polled + month * short)


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

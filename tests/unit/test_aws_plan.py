"""What an app needs of AWS: who accepts, how queues are fed, and what is refused in one line."""

import re

import pytest
from aws_examples import Order, guarded, plan_of, rich, shop, small
from pydantic import BaseModel, ConfigDict

from eitherway import App, Limit
from eitherway.codec import PATH_PARAMETER
from eitherway.errors import ConfigurationError


def planned(app: App, name: str):
    return next(one for one in plan_of(app).operations if one.operation.name == name)


def queue_of(**policies):
    return planned(small(delivery="queued", **policies), "place_order").queue


def test_a_plain_queued_operation_is_accepted_by_the_gateway():
    one = planned(small(delivery="queued"), "place_order")
    assert one.at_gateway
    assert one.front_seconds is None
    assert one.queue.name == "shop_place_order"


@pytest.mark.parametrize(
    ("policies", "why"),
    [
        ({"accept": "function"}, 'accept="function"'),
        ({"delivery": "auto", "timeout_seconds": 5}, 'delivery="auto"'),
        ({"wait_seconds": 5}, "wait_seconds="),
        ({"idempotency_key": "required"}, 'idempotency_key="required"'),
        ({"backlog_max": 5}, "backlog_max="),
        ({"deadline_seconds": 15 * 86_400}, "14 days"),
    ],
)
def test_what_needs_code_before_the_answer_is_accepted_by_a_function(policies, why):
    one = planned(small(**{"delivery": "queued", **policies}), "place_order")
    assert one.accepting.by == "function"
    assert why in one.accepting.why
    assert one.queue is not None
    assert one.front_seconds is not None


def test_an_optional_parameter_that_a_header_is_called_as_is_read_by_a_function():
    app = App("shop")

    @app.post("/orders", delivery="queued")
    async def place_order(order: Order, host: str = "", note: str = ""): ...

    @app.post("/orders/here", delivery="queued")
    async def place_here(order: Order, host: str): ...

    assert "'host'" in planned(app, "place_order").accepting.why
    assert planned(app, "place_here").at_gateway


def test_callers_are_asked_for_by_a_function():
    assert planned(guarded(), "place_order").accepting.by == "function"


def test_a_direct_operation_has_no_queue_and_one_without_a_path_has_nothing_but_one():
    assert planned(shop(), "read_order").queue is None
    assert planned(rich(), "tidy_up").front_seconds is None
    assert planned(rich(), "tidy_up").queue is not None


@pytest.mark.parametrize(
    ("limit", "at_once"),
    [
        (Limit(in_flight=2), (2, 1)),
        (Limit(in_flight=8), (2, 4)),
        (Limit(in_flight=64), (6, 10)),
        (Limit(in_flight=1_000), (100, 10)),
        (Limit(in_flight=100_000), (1_000, 10)),
        (Limit(per_second=0.5), (3, 10)),  # at most 30 at once, of 60 s each
        (Limit(per_second=0.01), (2, 1)),
        (Limit(per_second=200), (100, 10)),  # no more than without a limit
        (Limit(adaptive=True), (100, 10)),
        ([Limit(in_flight=8), Limit(in_flight=64)], (2, 4)),
    ],
)
def test_concurrency_times_batch_is_within_the_limits(limit, at_once):
    queue = queue_of(limit=limit)
    assert (queue.concurrency, queue.batch) == at_once


def test_times_follow_from_the_handlers():
    queue = queue_of(timeout_seconds=30)
    assert queue.worker_seconds == 40
    assert queue.visibility_seconds == 240


@pytest.mark.parametrize(("timeout_seconds", "receives"), [(30, 1_000), (590, 240), (890, 160)])
def test_a_hint_that_nobody_takes_is_dead_before_sqs_forgets_it(timeout_seconds, receives):
    queue = queue_of(timeout_seconds=timeout_seconds)
    assert queue.receives_max == receives
    assert queue.receives_max * queue.visibility_seconds < 12 * 86_400


def test_a_batch_above_ten_waits_a_second_for_itself():
    queue = planned(rich(), "take_in").queue
    assert (queue.concurrency, queue.batch, queue.window_seconds) == (4, 100, 1)
    assert queue.visibility_seconds == 6 * queue.worker_seconds + 1


def test_the_default_time_of_a_direct_call_is_cut_and_said_so():
    one = planned(small(), "place_order")
    assert one.front_seconds == 29
    assert "28 s" in one.notes[0]


def test_the_table_has_a_fuse_where_every_table_states_its_capacity():
    assert plan_of(rich()).write_units_max == 2 * 150 + 200
    assert plan_of(shop()).write_units_max is None


class ByKey(BaseModel):
    model_config = ConfigDict(json_schema_extra={"propertyNames": {"minLength": 3}})


async def take(order: Order): ...


async def take_by_key(found: ByKey): ...


def declared(path: str | None = "/orders", handler=take, **policies) -> App:
    app = App("bad")
    app.post(path, **policies)(handler)
    return app


def beside(*routes: tuple[str, str]) -> App:
    """An app with these routes: `first`, `second`."""
    app = App("bad")
    for name, (method, path) in zip(("first", "second"), routes, strict=False):
        names = PATH_PARAMETER.findall(path)
        handler = eval(f"lambda {', '.join(names)}: None")
        handler.__annotations__ = dict.fromkeys(names, str)
        getattr(app, method.lower())(path, name=name)(handler)
    return app


@pytest.mark.parametrize(
    ("app", "says"),
    [
        (declared(timeout_seconds=30), "API Gateway waits 29 s"),
        (declared(delivery="auto", timeout_seconds=29), "API Gateway waits 29 s"),
        (declared(delivery="queued", timeout_seconds=891), "Lambda runs for 900 s at most"),
        (declared(delivery="queued", limit=Limit("db", in_flight=1)), "'db' is in_flight=1"),
        (declared(limit=Limit(in_flight=1)), "in_flight=1"),
        (declared(delivery="queued", group=lambda order: order.order_id), "keeps no order"),
        (declared(limit=Limit(in_flight=8, key=lambda order: order.order_id)), "for each key"),
        (declared(delivery="queued", callbacks=True), "callbacks"),
        (declared(delivery="queued", handler=take_by_key), '"propertyNames"'),
        (declared(delivery="queued", accept="gateway", wait_seconds=5), 'accept="gateway"'),
        (declared(path="/orders/now!"), "'now!'"),
        (declared(path="/orders/"), "drops the '/'"),
        (declared(name="place order"), "'place order'"),
        (App("empty"), "no operation"),
        (beside(("GET", "/orders/{order_id}"), ("GET", "/orders/{other}")), "is a route of first"),
        (beside(("GET", "/a/{one:int}"), ("GET", "/a/{two}")), "is a route of first"),
        (beside(("GET", "/files/{name:path}"), ("GET", "/files/{id}/size")), "one kind of param"),
        (beside(("GET", "/jobs/{id}")), "/jobs/{id} is a route of eitherway"),
        (beside(("GET", "/problems/{what}")), "is a route of eitherway"),
        (beside(("POST", "/jobs/mine")), "a path of the gateway itself"),
        (beside(("GET", "/metrics")), "a path of the gateway itself"),
        (beside(("GET", "/orders/{id:colour}")), "colour"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_is_one_clear_line(app: App, says: str):
    with pytest.raises(ConfigurationError, match=re.escape(says)) as refused:
        plan_of(app)
    assert "\n" not in str(refused.value)


def test_a_body_that_may_be_left_out_has_no_model():
    """It would keep out a request without one."""
    app = App("shop")

    @app.post("/orders", delivery="queued")
    async def place_order(order: Order | None = None): ...

    assert planned(app, "place_order").at_gateway
    assert planned(app, "place_order").model is None
    assert planned(small(delivery="queued"), "place_order").model is not None


def test_a_schema_that_cannot_be_reduced_is_the_functions_to_check():
    plan_of(declared(delivery="queued", accept="function", handler=take_by_key))


@pytest.mark.parametrize("stack", ["", "1st", "a_b", "x" * 33, "päd"])
def test_a_stacks_name_is_refused(stack: str):
    with pytest.raises(ConfigurationError, match="--stack"):
        plan_of(shop(), stack)


@pytest.mark.parametrize(
    "policies",
    [
        {"accept": "gateway"},  # of a direct operation
        {"delivery": "queued", "accept": "lambda"},
    ],
)
def test_accept_is_refused_where_it_says_nothing(policies):
    with pytest.raises(ConfigurationError, match="accept"):
        small(**policies)

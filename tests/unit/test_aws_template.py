"""The emitted template: what an operation adds, what a change changes, and what cfn-lint says."""

import json
import re
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from aws_examples import guarded, of_type, plan_of, rich, shop, small, template_of

from eitherway import App
from eitherway.aws.accepting import CORS
from eitherway.aws.lint import lint
from eitherway.engines.aws import names, tables

APPS = {
    "shop": shop(),
    "rich": rich(),
    "guarded": guarded(),
    "direct alone": small(),
    "long name": small(name="x" * 100, delivery="queued"),
}
DIRECT = {"delivery": "direct", "timeout_seconds": 20}
QUEUED = {"delivery": "queued", "timeout_seconds": 20}


@pytest.mark.slow  # cfn-lint takes its time to load
def test_cfn_lint_has_nothing_to_say(tmp_path: Path):
    for name in ("shop", "rich", "guarded"):
        app = APPS[name]
        (tmp_path / f"{name}.json").write_text(json.dumps(template_of(app, prefix="/own")))
    (tmp_path / "pages.json").write_text(json.dumps(template_of(shop(), environment=[CORS])))
    command = [str(Path(sys.executable).with_name("cfn-lint")), *sorted(tmp_path.glob("*.json"))]
    linted = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (linted.returncode, linted.stdout) == (0, ""), linted.stderr


@pytest.mark.parametrize("name", APPS)
def test_our_own_lint_has_nothing_to_say(name: str):
    assert lint(template_of(APPS[name])) == []


def changed(before, after) -> set[str]:
    """Names of resources that are not the same in both."""
    names = before["Resources"].keys() | after["Resources"].keys()
    return {n for n in names if before["Resources"].get(n) != after["Resources"].get(n)}


def test_another_delivery_changes_the_operations_integration_and_its_queue_alone():
    direct, queued = template_of(small(**DIRECT)), template_of(small(**QUEUED))
    different = changed(direct, queued)
    own = {name for name in different if name.startswith("PlaceOrder")}
    shared = {re.sub("[0-9a-f]{8}$", "", name) for name in different - own}
    assert shared == {"Deployment", "Stage"}  # what publishes the method

    before, after = (one["Resources"]["PlaceOrderMethod"] for one in (direct, queued))
    before, after = before["Properties"], after["Properties"]
    integration = {"Integration", "MethodResponses", "RequestModels", "RequestValidatorId"}
    assert {n for n in before | after if before.get(n) != after.get(n)} == integration
    assert before["Integration"]["Type"] == "AWS_PROXY"
    assert after["Integration"]["Type"] == "AWS"

    kinds = {direct["Resources"].get(n, queued["Resources"].get(n))["Type"] for n in own}
    assert kinds == {
        "AWS::ApiGateway::Method",
        "AWS::ApiGateway::Model",
        "AWS::CloudWatch::Alarm",
        "AWS::IAM::Role",
        "AWS::Lambda::EventSourceMapping",
        "AWS::Lambda::Function",
        "AWS::Lambda::Permission",
        "AWS::SQS::Queue",
    }
    for part in ("Parameters", "Conditions", "Outputs", "Metadata"):
        assert direct[part] == queued[part]


HOSTILE = ["dead", "push", "socket", "status", "sweeper", "api", "jobs", "items", "refused"]
HOSTILE += ["place_order", "place-order", "placeOrder", "Place.order", "place_order_alone"]
HOSTILE += ["a_1", "a1", "a:1", "stage", "deployment", "..."]


def named(*names: str) -> App:
    app = App("hostile")
    for number, name in enumerate(names):

        @app.post(f"/{number}", name=name, delivery="queued")
        async def take(order: dict): ...

    return app


def test_no_name_of_an_operation_is_in_the_way_of_another_resource():
    document = template_of(named(*HOSTILE))
    assert lint(document) == []
    one, two = (len(template_of(named(*few))["Resources"]) for few in (["x"], ["x", "y"]))
    assert len(document["Resources"]) == one + (two - one) * (len(HOSTILE) - 1)


def test_names_of_resources_do_not_depend_on_what_else_there_is():
    """CloudFormation would make them anew, beside those that have their physical names."""
    for one in HOSTILE:
        alone = queues_by_name(template_of(named(one)))
        among = queues_by_name(template_of(named(*HOSTILE)))
        assert alone.items() <= among.items()


def queues_by_name(document) -> dict[str, str]:
    queues = of_type(document, "SQS::Queue").items()
    return {queue["QueueName"]: name for name, queue in queues}


def test_the_api_is_deployed_anew_where_something_of_it_is_new():
    def deployment(**policies) -> str:
        return next(iter(of_type(template_of(small(**policies)), "ApiGateway::Deployment")))

    document = template_of(small())
    waits = document["Resources"][deployment()]["DependsOn"]
    assert set(waits) == {
        name
        for name, one in document["Resources"].items()
        if one["Type"] in ("AWS::ApiGateway::Method", "AWS::ApiGateway::GatewayResponse")
    }
    assert deployment() == deployment()
    assert deployment(**DIRECT) != deployment(**QUEUED)


def test_tables_and_queues_are_those_that_the_engine_knows():
    document = template_of(rich(), "stack")
    assert document["Resources"]["Jobs"]["Properties"] == tables.jobs("stack")
    assert document["Resources"]["Channels"]["Properties"] == tables.channels("stack")
    items = document["Resources"]["Items"]["Properties"]
    assert items.pop("OnDemandThroughput") == {"MaxWriteRequestUnits": 500}
    assert items == tables.items("stack")
    found = {queue["QueueName"] for queue in of_type(document, "SQS::Queue").values()}
    queued = ["fill", "check_out", "take_in", "send_mail", "pay", "ping", "tidy_up"]
    wanted = {names.queue("stack", name, alone=alone) for name in queued for alone in (False, True)}
    assert found == {*wanted, names.dead_queue("stack")}
    assert document["Resources"]["Jobs"]["DeletionPolicy"] == "Retain"


def test_functions_may_send_to_the_queues_of_their_own_stack_alone():
    """However the stacks beside it are called."""
    may = {
        arn["Fn::Sub"].rpartition(":")[2]
        for role in of_type(template_of(rich(), "shop"), "IAM::Role").values()
        for policy in role["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        if "sqs:SendMessage" in statement["Action"]
        for arn in [statement["Resource"]]
        if "Fn::Sub" in arn
    }
    (pattern,) = may
    own = queues_by_name(template_of(rich(), "shop"))
    assert all(fnmatchcase(name, pattern) for name in own)
    for stack in ("shop-test", "shop-", "shopping", "shop--dead", "a-shop"):
        others = queues_by_name(template_of(rich(), stack))
        assert not any(fnmatchcase(name, pattern) for name in others)
        assert others.keys().isdisjoint(own)


def test_pages_of_other_origins_may_call_where_the_stack_is_told_which():
    """A preflight on every path, and functions that answer: they know whose pages may read it."""
    plan = plan_of(shop(), environment=[CORS])
    assert {one.accepting.by for one in plan.operations if one.accepting} == {"function"}
    document = template_of(shop(), environment=[CORS])
    asked = of_type(document, "ApiGateway::Method").values()
    served = {json.dumps(one["ResourceId"]) for one in asked}
    preflights = [one for one in asked if one["HttpMethod"] == "OPTIONS"]
    assert {json.dumps(one["ResourceId"]) for one in preflights} == served
    assert {one["Integration"]["Type"] for one in preflights} == {"AWS_PROXY"}
    own = "gatewayresponse.header.Access-Control-Allow-Origin"
    for refusal in of_type(document, "ApiGateway::GatewayResponse").values():
        assert refusal["ResponseParameters"][own] == "'*'"
    assert own not in json.dumps(template_of(shop()))


def test_every_queue_is_fed_as_its_limits_say():
    document = template_of(shop())
    mapping = document["Resources"]["PlaceOrderMapping"]["Properties"]
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 2}
    assert mapping["BatchSize"] == 4
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    alone = document["Resources"]["PlaceOrderMappingAlone"]["Properties"]
    assert (alone["BatchSize"], alone["ScalingConfig"]) == (1, {"MaximumConcurrency": 2})
    worker = document["Resources"]["PlaceOrderWorker"]["Properties"]
    queue = document["Resources"]["PlaceOrderQueue"]["Properties"]
    assert queue["VisibilityTimeout"] == 6 * worker["Timeout"]
    assert queue["RedrivePolicy"]["maxReceiveCount"] >= 100


def statements(document, role: str):
    policies = document["Resources"][role]["Properties"]["Policies"]
    return [one for policy in policies for one in policy["PolicyDocument"]["Statement"]]


def test_roles_may_do_what_they_need_and_no_more():
    document = template_of(rich())
    for name, role in of_type(document, "IAM::Role").items():
        assert "ManagedPolicyArns" not in role
        for statement in statements(document, name):
            assert statement["Resource"] != "*"
            actions = statement["Action"]
            assert not any(
                "*" in one for one in ([actions] if isinstance(actions, str) else actions)
            )
    sends = statements(document, "FillSendRole")
    assert sends == [
        {
            "Effect": "Allow",
            "Action": "sqs:SendMessage",
            "Resource": {"Fn::GetAtt": ["FillQueue", "Arn"]},
        }
    ]
    status = json.dumps(statements(document, "StatusRole"))
    assert "sqs:" not in status
    assert "execute-api" not in status
    assert "sqs:ReceiveMessage" not in json.dumps(statements(document, "CheckOutFunctionRole"))
    for app, is_ticket_used in ((document, False), (template_of(guarded()), True)):
        on_jobs = [s for s in statements(app, "SocketDoorRole") if "Jobs" in json.dumps(s)]
        assert ("dynamodb:PutItem" in on_jobs[0]["Action"]) is is_ticket_used
    receives = [
        one
        for one in statements(document, "PayWorkerRole")
        if "sqs:ReceiveMessage" in one["Action"]
    ]
    assert [one["Fn::GetAtt"][0] for one in receives[0]["Resource"]] == [
        "PayQueue",
        "PayQueueAlone",
    ]


def test_a_worker_may_send_to_every_queue_of_its_stack_and_to_no_other():
    document = template_of(rich(), "stack")
    sends = [s for s in statements(document, "PayWorkerRole") if "sqs:SendMessage" in s["Action"]]
    pattern = sends[0]["Resource"]["Fn::Sub"].rpartition(":")[2]
    found = [queue["QueueName"] for queue in of_type(document, "SQS::Queue").values()]
    assert all(fnmatchcase(name, pattern) for name in found)
    assert not fnmatchcase("stack2-pay", pattern)


def test_each_route_is_there_once_and_parameters_of_one_place_share_its_name():
    document = template_of(rich())
    resources = of_type(document, "ApiGateway::Resource")
    siblings = {}
    for one in resources.values():
        siblings.setdefault(json.dumps(one["ParentId"]), []).append(one["PathPart"])
    for parts in siblings.values():
        assert len(parts) == len(set(parts))
        assert sum(part.startswith("{") for part in parts) <= 1
    assert "{name+}" in [one["PathPart"] for one in resources.values()]
    methods = of_type(document, "ApiGateway::Method").values()
    assert len({(json.dumps(one["ResourceId"]), one["HttpMethod"]) for one in methods}) == len(
        methods
    )


def test_a_failed_send_is_never_a_202():
    integration = template_of(shop())["Resources"]["PlaceOrderMethod"]["Properties"]["Integration"]
    answers = integration["IntegrationResponses"]
    default = [one for one in answers if "SelectionPattern" not in one]
    assert [one["StatusCode"] for one in default] == ["503"]
    assert '"/problems/engine-unavailable"' in default[0]["ResponseTemplates"]["application/json"]
    assert integration["PassthroughBehavior"] == "NEVER"


def test_the_apis_own_refusals_are_problems():
    for refusal in of_type(template_of(shop()), "ApiGateway::GatewayResponse").values():
        document = refusal["ResponseTemplates"]["application/json"]
        found = json.loads(document)
        assert found.get("status") == (
            int(refusal["StatusCode"]) if "StatusCode" in refusal else None
        )
        headers = {"gatewayresponse.header.Content-Type": "'application/problem+json'"}
        if refusal.get("StatusCode") == "503":
            headers["gatewayresponse.header.Retry-After"] = "'1'"
        assert refusal["ResponseParameters"] == headers
        assert ("gatewayresponse.header.Retry-After" in headers) is (
            refusal["ResponseType"] == "THROTTLED"
        )


def test_a_prefix_moves_jobs_and_leaves_operations_and_problems():
    document = template_of(shop(), prefix="/own/")
    parts = {
        name: one["PathPart"] for name, one in of_type(document, "ApiGateway::Resource").items()
    }
    assert parts["OwnJobsPath"] == "jobs"
    assert parts["OrdersPath"] == "orders"
    assert "ProblemsPath" in parts
    variables = document["Resources"]["Status"]["Properties"]["Environment"]["Variables"]
    assert variables["EITHERWAY_PREFIX"] == "/own"


def test_everything_that_matters_has_an_alarm():
    document = template_of(shop())
    watched = {
        (alarm["MetricName"], json.dumps(alarm["Dimensions"][0]["Value"]))
        for alarm in of_type(document, "CloudWatch::Alarm").values()
    }
    assert ("5XXError", '"shop"') in watched
    for function in of_type(document, "Lambda::Function"):
        assert ("Errors", json.dumps({"Ref": function})) in watched
        assert ("Throttles", json.dumps({"Ref": function})) in watched
    for queue in of_type(document, "SQS::Queue"):
        is_dead = queue == "DeadLetters"
        metric = "NumberOfMessagesReceived" if is_dead else "ApproximateAgeOfOldestMessage"
        assert (metric, json.dumps({"Fn::GetAtt": [queue, "QueueName"]})) in watched

"""Known traps: each is planted once in an emitted template, and found."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aws_examples import rich, shop, small, template_of

from eitherway.aws.lint import TRAPS, lint, read_template
from eitherway.errors import ConfigurationError

Json = dict[str, Any]


def properties(document: Json, name: str) -> Json:
    return document["Resources"][name]["Properties"]


def put(name: str, key: str, value: Any) -> Callable[[Json], None]:
    return lambda document: properties(document, name).__setitem__(key, value)


def without(name: str, key: str) -> Callable[[Json], None]:
    def plant(document: Json) -> None:
        del properties(document, name)[key]

    return plant


def forbid(role: str, action: str) -> Callable[[Json], None]:
    """Take an action out of a role's policies."""

    def plant(document: Json) -> None:
        for statement in properties(document, role)["Policies"][0]["PolicyDocument"]["Statement"]:
            listed = statement["Action"]
            listed = [listed] if isinstance(listed, str) else listed
            statement["Action"] = [one for one in listed if one != action] or ["sqs:Nothing"]

    return plant


def trusted_by(role: str, service: str) -> Callable[[Json], None]:
    def plant(document: Json) -> None:
        (statement,) = properties(document, role)["AssumeRolePolicyDocument"]["Statement"]
        statement["Principal"]["Service"] = f"{service}.amazonaws.com"

    return plant


def lose(name: str) -> Callable[[Json], None]:
    return lambda document: document["Resources"].pop(name)


def integration(change: Callable[[Json], None]) -> Callable[[Json], None]:
    return lambda document: change(properties(document, "PlaceOrderMethod")["Integration"])


def lone_202(integration: Json) -> None:
    integration["IntegrationResponses"] = integration["IntegrationResponses"][:1]
    del integration["IntegrationResponses"][0]["SelectionPattern"]


PLANTS: list[tuple[str, str, Callable[[Json], None]]] = [
    ("batch-without-window", "PlaceOrderMapping", put("PlaceOrderMapping", "BatchSize", 50)),
    (
        "few-receives",
        "PlaceOrderQueue",
        put("PlaceOrderQueue", "RedrivePolicy", {"maxReceiveCount": 0}),
    ),
    (
        "few-receives",
        "PlaceOrderQueue",
        put("PlaceOrderQueue", "RedrivePolicy", {"maxReceiveCount": 5}),
    ),
    (
        "reserved-concurrency",
        "PlaceOrderWorker",
        put("PlaceOrderWorker", "ReservedConcurrentExecutions", 5),
    ),
    ("short-visibility", "PlaceOrderQueue", put("PlaceOrderQueue", "VisibilityTimeout", 60)),
    ("short-visibility", "PlaceOrderQueue", without("PlaceOrderQueue", "VisibilityTimeout")),
    ("no-redrive", "PlaceOrderQueue", without("PlaceOrderQueue", "RedrivePolicy")),
    ("whole-batches", "PlaceOrderMapping", without("PlaceOrderMapping", "FunctionResponseTypes")),
    ("unlimited-concurrency", "PlaceOrderMapping", without("PlaceOrderMapping", "ScalingConfig")),
    (
        "mapping-permissions",
        "DeadFeed",
        forbid("DeadRole", "sqs:ReceiveMessage"),
    ),
    ("mapping-permissions", "PushFeed", forbid("PushRole", "dynamodb:GetRecords")),
    ("mapping-permissions", "PushFeed", forbid("PushRole", "dynamodb:ListStreams")),
    ("wrong-protocol", "Socket", put("Socket", "ProtocolType", "WEBSOCKETS")),
    ("malformed-route", "SocketConnect", put("SocketConnect", "RouteKey", "$conect")),
    (
        "wrong-subtype",
        "SocketIntegration",
        put("SocketIntegration", "IntegrationSubtype", "SQS-Send"),
    ),
    (
        "missing-response",
        "PlaceOrderMethod",
        put("PlaceOrderMethod", "MethodResponses", [{"StatusCode": "202"}]),
    ),
    ("default-success", "PlaceOrderMethod", integration(lone_202)),
    ("no-default", "PlaceOrderMethod", integration(lambda one: one["IntegrationResponses"].pop())),
    ("passed-through", "PlaceOrderMethod", integration(lambda one: one.pop("PassthroughBehavior"))),
    ("gateway-permissions", "PlaceOrderMethod", forbid("PlaceOrderSendRole", "sqs:SendMessage")),
    ("gateway-permissions", "PlaceOrderMethod", integration(lambda one: one.pop("Credentials"))),
    ("invoke-permissions", "IndexMethod", lose("IndexFunctionPermission")),
    ("invoke-permissions", "SocketIntegration", lose("SocketDoorPermission")),
    ("invoke-permissions", "EachMinute", lose("SweeperPermission")),
    (
        "invoke-permissions",
        "SocketIntegration",
        put("SocketDoorPermission", "SourceArn", {"Fn::Sub": "arn:execute-api:${Api}/*"}),
    ),
    ("invoke-permissions", "EachMinute", put("SweeperPermission", "Action", "lambda:GetFunction")),
    ("outlives-gateway", "IndexFunction", put("IndexFunction", "Timeout", 60)),
    ("untrusted-role", "PlaceOrderMethod", trusted_by("PlaceOrderSendRole", "lambda")),
    ("untrusted-role", "Status", trusted_by("StatusRole", "apigateway")),
]


@pytest.mark.parametrize(
    ("trap", "resource", "plant"), PLANTS, ids=[f"{trap} {name}" for trap, name, _ in PLANTS]
)
def test_each_trap_is_found_where_it_is_and_nowhere_else(trap, resource, plant):
    document = template_of(shop())
    plant(document)
    assert {(one.trap, one.resource) for one in lint(document)} == {(trap, resource)}


def test_no_trap_goes_without_a_try():
    tried = {trap.replace("no-default", "default-success") for trap, _, _ in PLANTS}
    assert {trap.__name__.replace("_", "-") for trap in TRAPS} == tried


def test_an_http_api_is_looked_at_too():
    document = {
        "Resources": {
            "Api": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"ProtocolType": "HTTP"}},
            "Good": route("POST /orders"),
            "Default": route("$default"),
            "Bad": route("/orders"),
        }
    }
    assert [(one.trap, one.resource) for one in lint(document)] == [("malformed-route", "Bad")]


ODD = [None, [], {}, "text", 7, {"Ref": "Given"}, {"Fn::If": ["A", [], {}]}, {"Fn::Sub": []}]


def places(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """Each place of a template: what leads to it, what it is in, and its key there."""
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    for key, one in list(entries):
        here = (*path, str(key) if isinstance(value, dict) else "[]")
        yield here, value, key
        if isinstance(one, (dict, list)):
            yield from places(one, here)


def test_whatever_a_template_has_it_is_looked_at():
    """A value where none is expected is unknown: no traceback."""
    document = template_of(small(delivery="queued"))
    tried = set()
    for resource in document["Resources"].values():
        for path, inside, key in places(resource):
            if (resource["Type"], path) in tried:
                continue
            tried.add((resource["Type"], path))
            before = inside[key]
            for odd in ODD:
                inside[key] = odd
                lint(document)
            inside[key] = before
    assert len(tried) > 200


def test_what_is_computed_is_not_known_to_be_wrong():
    document = template_of(shop())
    document["Parameters"]["Seconds"] = {"Type": "Number", "Default": 20}
    put("PlaceOrderQueue", "VisibilityTimeout", {"Ref": "Elsewhere"})(document)
    put("PlaceOrderMapping", "BatchSize", {"Fn::If": ["A", 10, 20]})(document)
    put("IndexFunction", "Timeout", {"Ref": "Seconds"})(document)
    put("PlaceOrderSendRole", "ManagedPolicyArns", ["arn:aws:iam::aws:policy/Sends"])(document)
    put("PlaceOrderSendRole", "Policies", [])(document)
    assert lint(document) == []
    document["Parameters"]["Seconds"]["Default"] = "30"
    assert [one.trap for one in lint(document)] == ["outlives-gateway"]


def test_a_policy_of_its_own_is_read_too():
    document = template_of(shop())
    (policy,) = properties(document, "PlaceOrderSendRole").pop("Policies")
    assert [one.trap for one in lint(document)] == ["gateway-permissions"]
    document["Resources"]["Sends"] = {
        "Type": "AWS::IAM::Policy",
        "Properties": {**policy, "Roles": [{"Ref": "PlaceOrderSendRole"}]},
    }
    assert lint(document) == []


def route(key: str) -> Json:
    return {
        "Type": "AWS::ApiGatewayV2::Route",
        "Properties": {"ApiId": {"Ref": "Api"}, "RouteKey": key},
    }


def test_it_reads_what_was_written(tmp_path):
    file = tmp_path / "template.json"
    file.write_text(json.dumps(template_of(rich())))
    assert lint(read_template(file)) == []


@pytest.mark.parametrize("text", ["Resources: {}", "[]", "{}", '{"Resources": {"A": 1}}'])
def test_what_is_no_template_is_one_line(tmp_path, text):
    file = tmp_path / "template.json"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=r"template\.json"):
        read_template(file)
    with pytest.raises(ConfigurationError, match="No such file"):
        read_template(tmp_path / "none.json")

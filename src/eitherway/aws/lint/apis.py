"""Traps of APIs: routes, integrations, and who may invoke what."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .findings import Finding, Json, Stack, names_in, text_of

_ROUTES = {  # by ProtocolType
    "HTTP": re.compile(
        r"\$default|(ANY|GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) /\S*",
    ),
    "WEBSOCKET": re.compile(r"\$(connect|disconnect|default)|[^\s$]\S*"),
}
_SUBTYPES = re.compile(
    r"EventBridge-PutEvents|SQS-(SendMessage|ReceiveMessage|DeleteMessage|PurgeQueue)"
    r"|AppConfig-GetConfiguration|Kinesis-PutRecord"
    r"|StepFunctions-(StartExecution|StartSyncExecution|StopExecution)"
)


def wrong_protocol(stack: Stack) -> Iterator[Finding]:
    """`ProtocolType` is one of two words."""
    for name, api in stack.of("ApiGatewayV2::Api"):
        if "ProtocolType" in api and api["ProtocolType"] not in _ROUTES:
            wanted = " or ".join(_ROUTES)
            yield Finding("wrong-protocol", name, f"ProtocolType {api['ProtocolType']}: {wanted}")


def malformed_route(stack: Stack) -> Iterator[Finding]:
    """`RouteKey` is a method and a path, or of a WebSocket one word."""
    for name, route in stack.of("ApiGatewayV2::Route"):
        api = stack.get(next(names_in(route.get("ApiId")), None), "ApiGatewayV2::Api") or {}
        wanted = _ROUTES.get(str(api.get("ProtocolType")))
        if wanted is not None and not wanted.fullmatch(str(route.get("RouteKey"))):
            yield Finding("malformed-route", name, f"RouteKey {route.get('RouteKey')!r} is none")


def wrong_subtype(stack: Stack) -> Iterator[Finding]:
    """`IntegrationSubtype` is one that there is."""
    for name, integration in stack.of("ApiGatewayV2::Integration"):
        subtype = integration.get("IntegrationSubtype")
        if subtype is not None and not _SUBTYPES.fullmatch(str(subtype)):
            yield Finding("wrong-subtype", name, f"IntegrationSubtype {subtype!r} is none")


def _service_methods(stack: Stack) -> Iterator[tuple[str, Json, Json]]:
    """Methods whose answers are mapped, and their integrations."""
    for name, method in stack.of("ApiGateway::Method"):
        integration = method.get("Integration") or {}
        if integration.get("Type") == "AWS":
            yield name, method, integration


def missing_response(stack: Stack) -> Iterator[Finding]:
    """Each status that an integration answers with is declared by its method."""
    for name, method, integration in _service_methods(stack):
        declared = {str(one["StatusCode"]) for one in method.get("MethodResponses", [])}
        for answer in integration.get("IntegrationResponses", []):
            if str(answer["StatusCode"]) not in declared:
                yield Finding(
                    "missing-response", name, f"no MethodResponse has {answer['StatusCode']}"
                )


def default_success(stack: Stack) -> Iterator[Finding]:
    """The answer without a pattern is what failures get."""
    for name, _, integration in _service_methods(stack):
        answers = integration.get("IntegrationResponses", [])
        defaults = [one for one in answers if not one.get("SelectionPattern")]
        if any(str(one["StatusCode"]).startswith("2") for one in defaults):
            yield Finding(
                "default-success",
                name,
                "the integration response without SelectionPattern is the default: a message that "
                "SQS refuses would be told as accepted",
            )
        elif not defaults:
            yield Finding("no-default", name, "no integration response is the default: give a 503")


def passed_through(stack: Stack) -> Iterator[Finding]:
    """What no template fits would go to SQS as it is."""
    for name, _, integration in _service_methods(stack):
        if integration.get("PassthroughBehavior") != "NEVER":
            yield Finding("passed-through", name, "PassthroughBehavior is NEVER, or junk gets in")


def gateway_permissions(stack: Stack) -> Iterator[Finding]:
    """API Gateway sends under the role of the integration."""
    for name, _, integration in _service_methods(stack):
        queue = stack.named_in(integration.get("Uri"), "SQS::Queue")
        role = stack.named_in(integration.get("Credentials"), "IAM::Role")
        if queue and not stack.allows(role, "sqs:SendMessage", queue):
            who = role or "no role"
            yield Finding(
                "gateway-permissions", name, f"{who} does not allow sqs:SendMessage on {queue}"
            )


def invoke_permissions(stack: Stack) -> Iterator[Finding]:
    """Who invokes a function has its permission: API Gateway, EventBridge."""
    allowed = {
        (stack.named_in(one.get("FunctionName"), "Lambda::Function"), str(one.get("Principal")))
        for _, one in stack.of("Lambda::Permission")
    }
    for name, uri, service in _invocations(stack):
        function = stack.named_in(uri, "Lambda::Function")
        if function and (function, f"{service}.amazonaws.com") not in allowed:
            yield Finding(
                "invoke-permissions",
                name,
                f"no AWS::Lambda::Permission lets {service} invoke {function}",
            )


def _invocations(stack: Stack) -> Iterator[tuple[str, object, str]]:
    for name, method in stack.of("ApiGateway::Method"):
        uri = (method.get("Integration") or {}).get("Uri")
        if ":lambda:" in text_of(uri):
            yield name, uri, "apigateway"
    for name, integration in stack.of("ApiGatewayV2::Integration"):
        yield name, integration.get("IntegrationUri"), "apigateway"
    for name, rule in stack.of("Events::Rule"):
        for target in rule.get("Targets", []):
            yield name, target.get("Arn"), "events"

"""Traps of APIs: routes, integrations, and what answers through them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .findings import Finding, Json, Stack, mapping_of, mappings, names_in
from .permissions import invocations

_ROUTES = {  # by ProtocolType
    "HTTP": re.compile(
        r"\$default|(ANY|GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) /\S*",
    ),
    "WEBSOCKET": re.compile(r"\$(connect|disconnect|default)|[^\s$]\S*"),
}
_WAITS_SECONDS = {"ApiGateway::Method": 29, "ApiGatewayV2::Integration": 30}
_SUBTYPES = re.compile(
    r"EventBridge-PutEvents|SQS-(SendMessage|ReceiveMessage|DeleteMessage|PurgeQueue)"
    r"|AppConfig-GetConfiguration|Kinesis-PutRecord"
    r"|StepFunctions-(StartExecution|StartSyncExecution|StopExecution)"
)


def wrong_protocol(stack: Stack) -> Iterator[Finding]:
    """`ProtocolType` is one of two words."""
    for name, api in stack.of("ApiGatewayV2::Api"):
        protocol = api.get("ProtocolType")
        if isinstance(protocol, str) and protocol not in _ROUTES:
            wanted = " or ".join(_ROUTES)
            yield Finding("wrong-protocol", name, f"ProtocolType {protocol}: {wanted}")


def malformed_route(stack: Stack) -> Iterator[Finding]:
    """`RouteKey` is a method and a path, or of a WebSocket one word."""
    for name, route in stack.of("ApiGatewayV2::Route"):
        api = stack.get(next(names_in(route.get("ApiId")), None), "ApiGatewayV2::Api") or {}
        wanted, key = _ROUTES.get(str(api.get("ProtocolType"))), route.get("RouteKey", "")
        if wanted is not None and isinstance(key, str) and not wanted.fullmatch(key):
            yield Finding("malformed-route", name, f"RouteKey {key!r} is none")


def wrong_subtype(stack: Stack) -> Iterator[Finding]:
    """`IntegrationSubtype` is one that there is."""
    for name, integration in stack.of("ApiGatewayV2::Integration"):
        subtype = integration.get("IntegrationSubtype")
        if isinstance(subtype, str) and not _SUBTYPES.fullmatch(subtype):
            yield Finding("wrong-subtype", name, f"IntegrationSubtype {subtype!r} is none")


def _service_methods(stack: Stack) -> Iterator[tuple[str, Json, Json]]:
    """Methods whose answers are mapped, and their integrations."""
    for name, method in stack.of("ApiGateway::Method"):
        integration = mapping_of(method.get("Integration"))
        if integration.get("Type") == "AWS":
            yield name, method, integration


def missing_response(stack: Stack) -> Iterator[Finding]:
    """Each status that an integration answers with is declared by its method."""
    for name, method, integration in _service_methods(stack):
        declared = {str(one.get("StatusCode")) for one in mappings(method.get("MethodResponses"))}
        for answer in mappings(integration.get("IntegrationResponses")):
            status = str(answer.get("StatusCode"))
            if status not in declared:
                yield Finding("missing-response", name, f"no MethodResponse has {status}")


def default_success(stack: Stack) -> Iterator[Finding]:
    """The answer without a pattern is what failures get."""
    for name, _, integration in _service_methods(stack):
        answers = mappings(integration.get("IntegrationResponses"))
        defaults = [one for one in answers if not one.get("SelectionPattern")]
        if any(str(one.get("StatusCode")).startswith("2") for one in defaults):
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


def outlives_gateway(stack: Stack) -> Iterator[Finding]:
    """A function goes on, and is paid for, when its caller has had a 504."""
    for invocation in invocations(stack):
        most = _WAITS_SECONDS.get(invocation.kind)
        function = stack.get(invocation.function, "Lambda::Function") or {}
        timeout = stack.number(function.get("Timeout"), 3)
        if most is not None and timeout is not None and timeout > most:
            yield Finding(
                "outlives-gateway",
                invocation.function,
                f"API Gateway gives up after {most} s, and Timeout is {timeout:g}",
            )

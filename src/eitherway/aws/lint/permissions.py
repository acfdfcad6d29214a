"""Traps of permissions that AWS checks and no emulator does: of services, not of functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from .findings import Finding, Stack, mapping_of, mappings, names_in, text_of
from .roles import role_in

_SERVICES = {
    "ApiGateway::Method": "apigateway",
    "ApiGatewayV2::Integration": "apigateway",
    "Events::Rule": "events",
}


class Invocation(NamedTuple):
    """A resource that has a function of the stack invoked, and what of it says by which API."""

    resource: str
    kind: str
    function: str
    source: str | None  # the API or the rule


def invocations(stack: Stack) -> Iterator[Invocation]:
    """Everything that invokes functions, but for event source mappings, which are no one's."""
    for kind in _SERVICES:
        for name, properties in stack.of(kind):
            for source, target in _targets(kind, name, properties):
                function = stack.named_in(target, "Lambda::Function")
                if function is not None:
                    yield Invocation(name, kind, function, next(names_in(source), None))


def _targets(kind: str, name: str, properties: Any) -> Iterator[tuple[Any, Any]]:
    """What a resource invokes by, and its target."""
    if kind == "ApiGateway::Method":
        uri = mapping_of(properties.get("Integration")).get("Uri")
        if ":lambda:" in text_of(uri):
            yield properties.get("RestApiId"), uri
    elif kind == "ApiGatewayV2::Integration":
        yield properties.get("ApiId"), properties.get("IntegrationUri")
    else:
        for target in mappings(properties.get("Targets")):
            yield {"Ref": name}, target.get("Arn")


def invoke_permissions(stack: Stack) -> Iterator[Finding]:
    """Who invokes a function has its permission: API Gateway, EventBridge."""
    granted = [
        (
            stack.named_in(one.get("FunctionName"), "Lambda::Function"),
            str(one.get("Principal")),
            set(names_in(one.get("SourceArn"))),
        )
        for _, one in stack.of("Lambda::Permission")
        if str(one.get("Action")).lower() in ("lambda:invokefunction", "lambda:*")
    ]
    for invocation in invocations(stack):
        service = _SERVICES[invocation.kind]
        wanted = (invocation.function, f"{service}.amazonaws.com")
        sources = [names for function, who, names in granted if (function, who) == wanted]
        is_for_it = (not names or invocation.source in (None, *names) for names in sources)
        if not any(is_for_it):
            yield Finding(
                "invoke-permissions",
                invocation.resource,
                f"no AWS::Lambda::Permission lets {service} invoke {invocation.function} for it",
            )


def gateway_permissions(stack: Stack) -> Iterator[Finding]:
    """API Gateway sends under the role of the integration."""
    for name, method in stack.of("ApiGateway::Method"):
        integration = mapping_of(method.get("Integration"))
        queue = stack.named_in(integration.get("Uri"), "SQS::Queue")
        if integration.get("Type") != "AWS" or queue is None:
            continue
        role = role_in(stack, integration.get("Credentials"))
        if "Credentials" not in integration:
            yield Finding("gateway-permissions", name, f"no Credentials to send to {queue} with")
        elif role is not None and not role.allows("sqs:SendMessage", queue):
            yield Finding(
                "gateway-permissions",
                name,
                f"{role.name} does not allow sqs:SendMessage on {queue}",
            )


def untrusted_role(stack: Stack) -> Iterator[Finding]:
    """A role names the services that may take it."""
    takers = [
        ("lambda", name, function.get("Role")) for name, function in stack.of("Lambda::Function")
    ]
    takers += [
        ("apigateway", name, mapping_of(method.get("Integration")).get("Credentials"))
        for name, method in stack.of("ApiGateway::Method")
    ]
    for service, name, taken in takers:
        role = role_in(stack, taken)
        if role is not None and not role.trusts(service):
            yield Finding("untrusted-role", name, f"{role.name} does not let {service} take it")

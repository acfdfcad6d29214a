"""The REST API: a resource for each part of a path, a method for each operation."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

from ...errors import ConfigurationError
from ...operation import Operation
from ..paths import Part, parts
from .cloudformation import Json, Resources, attribute, invocation_of, logical_name, ref, sub
from .mapping import integration_responses, method_responses, send_message
from .refusals import add_refusals


class RestApi:
    """One Regional REST API."""

    def __init__(self, resources: Resources, stack: str, *, has_pages: bool) -> None:
        self._resources = resources
        self._served: dict[str, str] = {}  # a path of each resource that has methods
        self._nodes: dict[tuple[str, ...], tuple[Json, Part]] = {}
        self._methods: list[str] = []
        resources.add(
            "Api",
            "AWS::ApiGateway::RestApi",
            {"Name": stack, "EndpointConfiguration": {"Types": ["REGIONAL"]}},
        )
        self._root = attribute("Api", "RootResourceId")
        validated = {"ValidateRequestBody": True, "ValidateRequestParameters": True}
        resources.add(
            "Validator", "AWS::ApiGateway::RequestValidator", {"RestApiId": ref("Api"), **validated}
        )
        self._refusals = add_refusals(resources, has_pages=has_pages)

    def function(self, name: str, method: str, path: str, function: str) -> None:
        """Serve `method path` by a function: it gets the request as it is."""
        uri = invocation_of(function)
        integration = {"Type": "AWS_PROXY", "IntegrationHttpMethod": "POST", "Uri": uri}
        self._method(name, method, path, {"Integration": integration})

    def preflights(self, function: str) -> None:
        """Have a function answer OPTIONS on every path: what a browser asks before it calls."""
        for path in list(self._served.values()):
            shape = "/".join(part.shape for part in parts(path))
            self.function(logical_name(f"preflight /{shape}"), "OPTIONS", path, function)

    def queue(
        self,
        name: str,
        operation: Operation,
        *,
        queue: str,
        role: str,
        model: Json | None,
        prefix: str,
    ) -> None:
        """Serve an operation by its queue: no function runs before the answer."""
        method, path = operation.method or "", operation.path or ""
        in_path = self._names_in_path(operation, path)
        integration = {
            "Type": "AWS",
            "IntegrationHttpMethod": "POST",
            "Uri": sub(
                "arn:${AWS::Partition}:apigateway:${AWS::Region}:sqs:path/${AWS::AccountId}/"
                f"${{{queue}.QueueName}}"
            ),
            "Credentials": attribute(role, "Arn"),
            "PassthroughBehavior": "NEVER",
            "RequestParameters": {
                "integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"
            },
            "RequestTemplates": {"application/json": send_message(operation, in_path)},
            "IntegrationResponses": integration_responses(operation, prefix),
        }
        more: Json = {"Integration": integration, "MethodResponses": method_responses()}
        queries = {
            f"method.request.querystring.{parameter.name}": True
            for parameter in operation.binding.parameters
            if parameter.source == "query" and parameter.required
        }
        if queries:
            more["RequestParameters"] = queries
        if model is not None:
            more["RequestModels"] = {"application/json": ref(self._model(name, model))}
        if queries or model is not None:
            more["RequestValidatorId"] = ref("Validator")
        self._method(name, method, path, more)

    def _names_in_path(self, operation: Operation, path: str) -> dict[str, str]:
        """What the path's parameters are called in the API: as by whom had them there first.

        `ConfigurationError` where that is the name of a query parameter: templates find a value by
        its name alone.
        """
        _, there = self._node(path)
        names = {
            own.parameter: found.parameter or ""
            for own, found in zip(parts(path), there, strict=True)
            if own.parameter is not None
        }
        queries = {one.name for one in operation.binding.parameters if one.source == "query"}
        if hidden := queries & set(names.values()):
            raise ConfigurationError(
                f"{operation.name}: the path of another operation has a parameter "
                f"{min(hidden)!r} where {path} has one, so that a query parameter cannot be called "
                "so: give the parameters of both paths one name"
            )
        return names

    def _model(self, name: str, schema: Json) -> str:
        return self._resources.add(
            f"{name}Model",
            "AWS::ApiGateway::Model",
            {
                "RestApiId": ref("Api"),
                "Name": f"{name}Body",
                "ContentType": "application/json",
                "Schema": schema,
            },
        )

    def _method(self, name: str, method: str, path: str, more: Json) -> None:
        resource, _ = self._node(path)
        properties: dict[str, Any] = {
            "RestApiId": ref("Api"),
            "ResourceId": resource,
            "HttpMethod": method,
            "AuthorizationType": "NONE",
            **more,
        }
        self._served.setdefault(json.dumps(resource), path)
        added = self._resources.add(f"{name}Method", "AWS::ApiGateway::Method", properties)
        self._methods.append(added)

    def _node(self, path: str) -> tuple[Json, list[Part]]:
        """The resource of a path, and its parts as they are called there.

        Paths that differ in the names of their parameters alone share it: the first one's count.
        """
        resource = self._root
        at: tuple[str, ...] = ()
        there: list[Part] = []
        for part in parts(path):
            at = (*at, part.shape)
            if at not in self._nodes:
                name = logical_name("".join(f"/{shape}" for shape in at)) + "Path"
                properties = {"RestApiId": ref("Api"), "ParentId": resource, "PathPart": part.text}
                self._resources.add(name, "AWS::ApiGateway::Resource", properties)
                self._nodes[at] = (ref(name), part)
            resource, called = self._nodes[at]
            there.append(called)
        return resource, there

    def deploy(self) -> None:
        """Publish what there is: a new deployment whenever something of it is new."""
        everything = {
            name: one
            for name, one in self._resources.all.items()
            if one["Type"].startswith("AWS::ApiGateway::")
        }
        digest = sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:8]
        deployment = self._resources.add(
            f"Deployment{digest}",
            "AWS::ApiGateway::Deployment",
            {"RestApiId": ref("Api")},
            DependsOn=[*self._refusals, *self._methods],
        )
        self._resources.add(
            "Stage",
            "AWS::ApiGateway::Stage",
            {
                "RestApiId": ref("Api"),
                "DeploymentId": ref(deployment),
                "StageName": ref("StageName"),
            },
        )

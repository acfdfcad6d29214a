"""The REST API: a resource for each part of a path, a method for each operation."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

from ...operation import Operation
from ...problem import CATALOGUE, MEDIA_TYPE
from ..paths import Part, parts
from .cloudformation import Json, Resources, attribute, ref, sub
from .mapping import integration_responses, method_responses, problem, send_message

_REFUSALS: list[tuple[str, str, str, str]] = [  # API Gateway's name for it, ours, status, detail
    ("BAD_REQUEST_BODY", "invalid-input", "422", "the body does not fit the operation"),
    ("BAD_REQUEST_PARAMETERS", "invalid-input", "422", "a parameter is missing"),
    ("MISSING_AUTHENTICATION_TOKEN", "not-found", "404", "nothing is here"),
    ("RESOURCE_NOT_FOUND", "not-found", "404", "nothing is here"),
    ("REQUEST_TOO_LARGE", "payload-too-large", "413", "the body is too large"),
    ("UNSUPPORTED_MEDIA_TYPE", "unsupported-media-type", "415", "give application/json"),
    ("THROTTLED", "overloaded", "503", "too many requests at once"),
    ("INTEGRATION_TIMEOUT", "timed-out", "504", "the operation took too long"),
    ("INTEGRATION_FAILURE", "internal-error", "500", "the function failed"),
    ("DEFAULT_4XX", "malformed-request", "", "the request was refused"),
    ("DEFAULT_5XX", "internal-error", "", "the API failed"),
]


class RestApi:
    """One Regional REST API."""

    def __init__(self, resources: Resources, stack: str) -> None:
        self._resources = resources
        self._nodes: dict[tuple[str, ...], tuple[Json, Part]] = {}
        self._methods: list[str] = []
        self._refusals: list[str] = []
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
        for kind, name, status, detail in _REFUSALS:
            self._refusal(kind, name, status, detail)

    def _refusal(self, kind: str, name: str, status: str, detail: str) -> None:
        """API Gateway's own refusals are problems, too."""
        properties: Json = {
            "RestApiId": ref("Api"),
            "ResponseType": kind,
            "ResponseParameters": {
                "gatewayresponse.header.Content-Type": f"'{MEDIA_TYPE}'",
            },
            "ResponseTemplates": {"application/json": problem(name, detail)},
        }
        if status == "503":
            properties["ResponseParameters"]["gatewayresponse.header.Retry-After"] = "'1'"
        if status:
            properties["StatusCode"] = status
        else:  # of many statuses: the document says none in particular
            blank = f'{{"type":"about:blank","title":"{CATALOGUE[name][1]}","detail":"{detail}"}}'
            properties["ResponseTemplates"] = {"application/json": blank}
        logical = "Refusal" + kind.title().replace("_", "")
        self._refusals.append(
            self._resources.add(logical, "AWS::ApiGateway::GatewayResponse", properties)
        )

    def function(self, name: str, method: str, path: str, function: str) -> None:
        """Serve `method path` by a function: it gets the request as it is."""
        uri = sub(
            "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/"
            f"${{{function}.Arn}}/invocations"
        )
        integration = {"Type": "AWS_PROXY", "IntegrationHttpMethod": "POST", "Uri": uri}
        self._method(name, method, path, {"Integration": integration})

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
        _, there = self._node(path)
        names = {
            wanted.parameter: found.parameter or ""
            for wanted, found in zip(parts(path), there, strict=True)
            if wanted.parameter is not None
        }
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
            "RequestTemplates": {"application/json": send_message(operation, names)},
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
                name = self._resources.name("/".join(at), "Path")
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

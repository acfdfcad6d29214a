"""What MiniStack 1.5.33 lacks of AWS, and what the tests put in its place: all of it, with reasons.

Everything else of a stack is what `eitherway aws build` has made, and functions run under its
roles. What is not made up for, and so is seen by no test, is in docs/how-to/deploy-to-aws.md.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]


def widen(statements: list[Json]) -> None:
    """Policies: what AWS allows by them, said as MiniStack asks for it.

    To AWS a batch of messages is the action of its messages; MiniStack takes `SendMessageBatch`
    and the like for actions of their own. A stream's requests name an ARN that MiniStack does not
    look for (it wants a `TableName`), so it takes them for requests to everything.
    """
    for statement in statements:
        actions = statement["Action"]
        listed = [actions] if isinstance(actions, str) else actions
        single = ("SendMessage", "DeleteMessage", "ChangeMessageVisibility")
        batches = [f"sqs:{one}Batch" for one in single if f"sqs:{one}" in listed]
        statement["Action"] = [*listed, *batches]
        if "dynamodb:GetRecords" in listed:
            statement["Resource"] = "*"


def attach_validators(
    gateway: Any, api: str, template: Mapping[str, Any], physical: Mapping[str, str]
) -> None:
    """Bodies: a stack's `RequestValidator` is an empty name, and no method has it.

    Made by the API of API Gateway it validates, by the models that the stack did make. So one is
    made, and attached to just those methods that name one in the template.
    """
    validator = gateway.create_request_validator(
        restApiId=api, name="bodies", validateRequestBody=True, validateRequestParameters=False
    )
    change = {"op": "replace", "path": "/requestValidatorId", "value": validator["id"]}
    for resource in template["Resources"].values():
        properties = resource["Properties"]
        if resource["Type"] == "AWS::ApiGateway::Method" and "RequestValidatorId" in properties:
            gateway.update_method(
                restApiId=api,
                resourceId=physical[properties["ResourceId"]["Ref"]],
                httpMethod=properties["HttpMethod"],
                patchOperations=[change],
            )
    gateway.create_deployment(restApiId=api, stageName="live")


def timed(path: str) -> str:
    """Links of a 202: `$context.requestTimeEpoch` is empty in a mapping template, so it is now."""
    return f"{path}{round(time.time() * 1000)}" if path.endswith("accepted=") else path

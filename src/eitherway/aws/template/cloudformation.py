"""CloudFormation's words: resources with names, references, policies."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any

Json = dict[str, Any]

_WORD = re.compile(r"[A-Za-z0-9]+")
_CLEAR = re.compile(r"[a-z][a-z0-9]*(_[a-z][a-z0-9]*)*|(/[a-z][a-z0-9]*)+")


def logical_name(of: str) -> str:
    """A name of letters and digits for an operation, or for a path (`/orders/now`).

    Always the same, whatever else there is, and for each another one: CloudFormation would replace
    what it knows under another name, and cannot while the old one is there.
    """
    words = "".join(word[:1].upper() + word[1:] for word in _WORD.findall(of))
    return words if _CLEAR.fullmatch(of) else words + sha256(of.encode()).hexdigest()[:6]


def ref(name: str) -> Json:
    """What the resource is known by."""
    return {"Ref": name}


def attribute(name: str, of: str) -> Json:
    """An attribute of a resource, such as its `Arn`."""
    return {"Fn::GetAtt": [name, of]}


def sub(text: str, **values: Any) -> Json:
    """The text, with what its `${Names}` stand for."""
    return {"Fn::Sub": [text, values]} if values else {"Fn::Sub": text}


def arn(service: str, resource: str) -> Json:
    """The ARN of something of this account, in this region."""
    return sub(f"arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{resource}")


def invocation_of(function: str) -> Json:
    """What an integration of API Gateway asks for, to have a function invoked."""
    return sub(
        "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/"
        f"${{{function}.Arn}}/invocations"
    )


def allow(actions: str, *resources: Any) -> Json:
    """A statement of a policy; actions as `dynamodb:GetItem PutItem`."""
    service, _, verbs = actions.partition(":")
    listed = [f"{service}:{verb}" for verb in verbs.split()]
    return {
        "Effect": "Allow",
        "Action": listed if len(listed) > 1 else listed[0],
        "Resource": list(resources) if len(resources) > 1 else resources[0],
    }


def role(service: str, statements: list[Json]) -> Json:
    """The properties of a role that `service` takes, which may do what the statements allow."""
    return {
        "AssumeRolePolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": f"{service}.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            ],
        },
        "Policies": [
            {
                "PolicyName": "run",
                "PolicyDocument": {"Version": "2012-10-17", "Statement": statements},
            }
        ],
    }


class Resources:
    """The resources of a stack, each under a name of its own."""

    def __init__(self) -> None:
        self.all: dict[str, Json] = {}

    def add(self, name: str, kind: str, properties: Json, **attributes: Any) -> str:
        """Add one; its name."""
        if name in self.all:
            raise ValueError(f"two resources are called {name}")
        self.all[name] = {"Type": kind, **attributes, "Properties": properties}
        return name

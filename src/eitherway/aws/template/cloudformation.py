"""CloudFormation's words: resources with names, references, policies."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any

Json = dict[str, Any]

_WORD = re.compile(r"[A-Za-z0-9]+")


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
        self._named: dict[str, str] = {}

    def add(self, name: str, kind: str, properties: Json, **attributes: Any) -> str:
        """Add one; its name."""
        if name in self.all:
            raise ValueError(f"two resources are called {name}")
        self.all[name] = {"Type": kind, **attributes, "Properties": properties}
        return name

    def name(self, of: str, ending: str = "") -> str:
        """A name of letters and digits for something, always the same; for each another one."""
        found = "".join(word[:1].upper() + word[1:] for word in _WORD.findall(of)) or "Root"
        name = found + ending
        if self._named.setdefault(name, of) != of:
            name = found + sha256(of.encode()).hexdigest()[:6] + ending
            self._named[name] = of
        return name

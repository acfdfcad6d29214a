"""A template to look into: its resources by type, and what a value of one refers to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

Json = Mapping[str, Any]

_NAMED = re.compile(r"\${([A-Za-z0-9]+)(?:\.[A-Za-z0-9.]+)?}")


class Finding(NamedTuple):
    """A trap, the resource that is in it, and what to do."""

    trap: str
    resource: str
    detail: str


class Stack:
    """The resources of a template."""

    def __init__(self, template: Json) -> None:
        self._resources: Json = template.get("Resources") or {}

    def of(self, *kinds: str) -> Iterator[tuple[str, Json]]:
        """Names and properties of the resources of these types, `AWS::` left out."""
        wanted = {f"AWS::{kind}" for kind in kinds}
        for name, resource in self._resources.items():
            if resource.get("Type") in wanted:
                yield name, resource.get("Properties") or {}

    def get(self, name: str | None, kind: str) -> Json | None:
        """The properties of a resource of this type; None where there is none."""
        resource = self._resources.get(name or "")
        if resource is None or resource.get("Type") != f"AWS::{kind}":
            return None
        properties: Json = resource.get("Properties") or {}
        return properties

    def named_in(self, value: Any, kind: str) -> str | None:
        """The first resource of this type that the value refers to."""
        return next((name for name in names_in(value) if self.get(name, kind) is not None), None)

    def statements(self, role: str | None) -> Iterator[Json]:
        """What the policies of a role allow."""
        properties = self.get(role, "IAM::Role") or {}
        for policy in properties.get("Policies", []):
            for statement in listed(policy["PolicyDocument"].get("Statement", [])):
                if statement.get("Effect") == "Allow":
                    yield statement

    def allows(self, role: str | None, action: str, resource: str) -> bool:
        """Whether a role may do this to a resource: one named, or one whose name fits a pattern."""
        return any(
            any(fnmatchcase(action.lower(), one.lower()) for one in listed(statement["Action"]))
            and any(self._covers(one, resource) for one in listed(statement["Resource"]))
            for statement in self.statements(role)
        )

    def _covers(self, pattern: Any, resource: str) -> bool:
        if pattern == "*" or resource in names_in(pattern):
            return True
        text = pattern.get("Fn::Sub") if isinstance(pattern, dict) else pattern
        properties = self._resources[resource].get("Properties") or {}
        physical = properties.get("QueueName") or properties.get("TableName")
        if not isinstance(text, str) or not isinstance(physical, str):
            return False
        return fnmatchcase(physical, re.split(r"[:/]", text)[-1])


def names_in(value: Any) -> Iterator[str]:
    """The logical names that a value refers to, by `Ref`, `Fn::GetAtt` and `Fn::Sub`."""
    if isinstance(value, list):
        for one in value:
            yield from names_in(one)
    elif isinstance(value, dict):
        for function, argument in value.items():
            if function == "Ref":
                yield argument
            elif function == "Fn::GetAtt":
                yield argument.split(".")[0] if isinstance(argument, str) else argument[0]
            elif function == "Fn::Sub":
                text = argument if isinstance(argument, str) else argument[0]
                yield from _NAMED.findall(text)
                yield from names_in(argument[1:] if isinstance(argument, list) else [])
            else:
                yield from names_in(argument)


def text_of(value: Any) -> str:
    """The text of a value, what it refers to as it is written."""
    if isinstance(value, dict) and "Fn::Sub" in value:
        argument = value["Fn::Sub"]
        return argument if isinstance(argument, str) else str(argument[0])
    return str(value)


def listed(value: Any) -> list[Any]:
    """One, or several."""
    return value if isinstance(value, list) else [value]

"""Roles: who takes them, and what they allow, as far as the template says it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from .findings import Json, Stack, listed, mapping_of, mappings, names_in


class Role:
    """A role of the stack."""

    def __init__(self, stack: Stack, name: str) -> None:
        self._stack = stack
        self._properties = stack.get(name, "IAM::Role") or {}
        self.name = name

    def trusts(self, service: str) -> bool:
        """Whether `service`.amazonaws.com may take it."""
        trusted = [
            who
            for statement in _allowing(self._properties.get("AssumeRolePolicyDocument"))
            for who in listed(mapping_of(statement.get("Principal")).get("Service"))
        ]
        return any(not isinstance(who, str) or who.startswith(f"{service}.") for who in trusted)

    def allows(self, action: str, resource: str) -> bool:
        """Whether it may do this to a resource of the stack, by its name or a pattern of it.

        True where that stands elsewhere: in a managed policy.
        """
        return bool(self._properties.get("ManagedPolicyArns")) or any(
            any(
                fnmatchcase(action.lower(), str(one).lower()) for one in listed(statement["Action"])
            )
            and any(self._covers(one, resource) for one in listed(statement.get("Resource")))
            for statement in self._statements()
            if "Action" in statement
        )

    def _statements(self) -> Iterator[Json]:
        for policy in mappings(self._properties.get("Policies")):
            yield from _allowing(policy.get("PolicyDocument"))
        for _, policy in self._stack.of("IAM::Policy", "IAM::ManagedPolicy"):
            if self.name in names_in(policy.get("Roles")):
                yield from _allowing(policy.get("PolicyDocument"))

    def _covers(self, pattern: Any, resource: str) -> bool:
        if pattern == "*" or resource in names_in(pattern):
            return True
        text = pattern.get("Fn::Sub") if isinstance(pattern, dict) else pattern
        kinds = {"SQS::Queue": "QueueName", "DynamoDB::Table": "TableName"}
        physical = [
            (self._stack.get(resource, kind) or {}).get(name) for kind, name in kinds.items()
        ]
        return isinstance(text, str) and any(
            fnmatchcase(name, re.split(r"[:/]", text)[-1])
            for name in physical
            if isinstance(name, str)
        )


def role_in(stack: Stack, value: Any) -> Role | None:
    """The role of the stack that a value refers to; None for one from elsewhere."""
    name = stack.named_in(value, "IAM::Role")
    return None if name is None else Role(stack, name)


def _allowing(document: Any) -> Iterator[Json]:
    for statement in mappings(mapping_of(document).get("Statement")):
        if statement.get("Effect") == "Allow":
            yield statement

"""A template to look into: its resources by type, and what a value of one refers to.

Any template: what is computed, or not as CloudFormation has it, is not known, and no trap.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
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
        self._resources = mapping_of(template.get("Resources"))
        self._parameters = mapping_of(template.get("Parameters"))

    def of(self, *kinds: str) -> Iterator[tuple[str, Json]]:
        """Names and properties of the resources of these types, `AWS::` left out."""
        wanted = {f"AWS::{kind}" for kind in kinds}
        for name, resource in self._resources.items():
            if str(mapping_of(resource).get("Type")) in wanted:
                yield name, mapping_of(resource.get("Properties"))

    def get(self, name: str | None, kind: str) -> Json | None:
        """The properties of a resource of this type; None where there is none."""
        resource = mapping_of(self._resources.get(name or ""))
        if resource.get("Type") != f"AWS::{kind}":
            return None
        return mapping_of(resource.get("Properties"))

    def named_in(self, value: Any, kind: str) -> str | None:
        """The first resource of this type that the value refers to."""
        return next((name for name in names_in(value) if self.get(name, kind) is not None), None)

    def number(self, value: Any, otherwise: float) -> float | None:
        """A number, a parameter's by its default; `otherwise` for None; None where it is not known.

        CloudFormation takes digits as text, too.
        """
        if isinstance(value, dict) and list(value) == ["Ref"]:
            value = mapping_of(self._parameters.get(str(value["Ref"]))).get("Default", value)
        if value is None:
            return otherwise
        try:
            return float(value)
        except (TypeError, ValueError):
            return None


def names_in(value: Any) -> Iterator[str]:
    """The logical names that a value refers to, by `Ref`, `Fn::GetAtt` and `Fn::Sub`."""
    if isinstance(value, list):
        for one in value:
            yield from names_in(one)
    elif isinstance(value, dict):
        for function, argument in value.items():
            first = argument[0] if isinstance(argument, list) and argument else argument
            if function == "Ref":
                yield str(argument)
            elif function == "Fn::GetAtt":
                yield str(first).split(".")[0]
            elif function == "Fn::Sub":
                yield from _NAMED.findall(str(first))
                yield from names_in(argument[1:] if isinstance(argument, list) else [])
            else:
                yield from names_in(argument)


def text_of(value: Any) -> str:
    """The text of a value, what it refers to as it is written."""
    if isinstance(value, dict) and "Fn::Sub" in value:
        return str((listed(value["Fn::Sub"]) or [""])[0])
    return str(value)


def listed(value: Any) -> list[Any]:
    """One, or several; none for None."""
    return value if isinstance(value, list) else [] if value is None else [value]


def mappings(value: Any) -> list[Json]:
    """The objects of a list, or the one that there is."""
    return [one for one in listed(value) if isinstance(one, Mapping)]


def mapping_of(value: Any) -> Json:
    """An object; an empty one where it is something else."""
    return value if isinstance(value, Mapping) else {}

"""JSON Schema 2020-12, as Pydantic writes it, reduced to draft 4, as API Gateway's models are.

What is left out is looser, never stricter: the worker validates again. What draft 4 cannot say, and
would let through what the operation refuses, is `IrreducibleError`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

_DRAFT = "http://json-schema.org/draft-04/schema#"
_KEPT = frozenset(
    [
        *("type", "enum", "required", "pattern", "multipleOf", "minLength", "maxLength"),
        *("minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties"),
    ]
)
_SCHEMAS = frozenset(["not", "additionalProperties", "additionalItems"])
_LISTS = frozenset(["anyOf", "allOf", "oneOf"])
_MAPPINGS = frozenset(["properties", "patternProperties"])
_LEFT_OUT = frozenset(
    [
        *("$schema", "title", "description", "default", "examples", "format", "deprecated"),
        *("readOnly", "writeOnly", "contentEncoding", "contentMediaType", "contentSchema"),
        "discriminator",
    ]
)
_FOREIGN = re.compile(r"\(\?[^:=!]|\\[^\W\dbBcdDfnrsStuvwWx]")
"""Of patterns, what ECMA 262 does not have: `(?i)`, `(?P<name>`, `(?<=`, `\\A`, `\\z`, `\\p`."""

_BOUNDS = (("minimum", "exclusiveMinimum", max), ("maximum", "exclusiveMaximum", min))
_BOUND_NAMES = frozenset(name for plain, strict, _ in _BOUNDS for name in (plain, strict))


class IrreducibleError(ValueError):
    """The keyword that draft 4 does not have."""


def reduced(schema: Mapping[str, Any], components: Mapping[str, Schema], prefix: str) -> Schema:
    """The schema as one of draft 4 that needs no other document. `IrreducibleError`.

    `components` are what its references lead to, below `prefix`.
    """
    reducer = _Reducer(components, prefix)
    body = {"$schema": _DRAFT, **reducer.schema(schema)}
    definitions = reducer.definitions()
    return {**body, "definitions": definitions} if definitions else body


class _Reducer:
    def __init__(self, components: Mapping[str, Schema], prefix: str) -> None:
        self._components = components
        self._prefix = prefix
        self._names: dict[str, str] = {}

    def definitions(self) -> dict[str, Schema]:
        """What the references led to, and what those lead to."""
        found: dict[str, Schema] = {}
        while missing := [name for name in self._names if self._names[name] not in found]:
            for name in missing:
                found[self._names[name]] = self.schema(self._components[name])
        return found

    def schema(self, schema: Mapping[str, Any] | bool) -> Schema:  # noqa: FBT001 - a schema, too
        """One schema. A reference's siblings count in 2020-12 and not in draft 4: `allOf`."""
        if isinstance(schema, bool):
            return {} if schema else {"not": {}}
        made: Schema = {}
        for name, value in schema.items():
            made.update(self._keyword(name, value))
        self._bounds(schema, made)
        if "$ref" in made and len(made) > 1:
            reference = {"$ref": made.pop("$ref")}
            made["allOf"] = [reference, *made.get("allOf", [])]
        return _whole_numbers(made)

    def _keyword(self, name: str, value: Any) -> Schema:
        made: Any = value
        if name in _SCHEMAS:
            made = value if isinstance(value, bool) else self.schema(value)
        elif name in _LISTS:
            made = [self.schema(one) for one in value]
        elif name in _MAPPINGS:
            made = {key: self.schema(one) for key, one in value.items()}
        elif name == "$ref":
            made = f"#/definitions/{self._name(value.removeprefix(self._prefix))}"
        elif name == "const":
            return {"enum": [value]}
        elif name == "items":
            made = self.schema(value)
        elif name not in _KEPT:
            return self._dropped(name)
        elif value == [] or (name == "pattern" and _FOREIGN.search(value)):
            return {}  # an empty `required` is no schema of draft 4
        return {name: made}

    @staticmethod
    def _dropped(name: str) -> Schema:
        """Nothing, for what is said elsewhere, or says nothing of what is valid."""
        if (
            name in _BOUND_NAMES
            or name == "prefixItems"
            or name in _LEFT_OUT
            or name.startswith("x-")
        ):
            return {}
        raise IrreducibleError(name)

    def _bounds(self, schema: Mapping[str, Any], made: Schema) -> None:
        for plain, strict, tighter in _BOUNDS:
            bounds = [schema[name] for name in (plain, strict) if name in schema]
            if not bounds:
                continue
            made[plain] = tighter(bounds)
            if made[plain] == schema.get(strict):
                made[strict] = True
        if "prefixItems" in schema:
            rest = schema.get("items", True)
            made["items"] = [self.schema(one) for one in schema["prefixItems"]]
            made["additionalItems"] = rest if isinstance(rest, bool) else self.schema(rest)

    def _name(self, name: str) -> str:
        """A name of letters and digits, for each component another one."""
        if name not in self._names:
            plain = re.sub(r"\W|_", "", name) or "Schema"
            taken = set(self._names.values())
            while plain in taken:
                plain += "X"
            self._names[name] = plain
        return self._names[name]


def _whole_numbers(schema: Schema) -> Schema:
    """`17.0` is an integer since draft 6; in draft 4 it is a number that is a multiple of 1."""
    kinds = schema.get("type")
    listed = kinds if isinstance(kinds, list) else [kinds]
    if "integer" not in listed or "number" in listed:
        return schema
    numbers = ["number" if kind == "integer" else kind for kind in listed]
    kinds = numbers if isinstance(kinds, list) else "number"
    return {**schema, "type": kinds, "multipleOf": schema.get("multipleOf", 1)}

"""JSON Schemas of what operations take and give: one type, one schema, in both documents."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import PydanticSerializationError, core_schema, to_jsonable_python

from ...codec import Parameter
from ...errors import ConfigurationError
from ...operation import Operation
from .documents import OWN
from .merging import merged, renamed

Schema = dict[str, Any]
REF = "#/components/schemas/"
OWN_PREFIX = "eitherway."
"""Before the names of the gateway's own documents: no model of a user's can have it in its name."""

_DECIMAL = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,6})?$"


class _Generator(GenerateJsonSchema):
    """As Pydantic does, where OpenAPI and AsyncAPI can both say it."""

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}

    def handle_invalid_for_json_schema(
        self,
        schema: core_schema.CoreSchema,  # noqa: ARG002 - an override
        error_info: str,  # noqa: ARG002
    ) -> JsonSchemaValue:
        """A type that JSON Schema cannot describe: anything; the operation decides."""
        return {}

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        """With a pattern for the strings."""
        described = super().decimal_schema(schema)
        for one in (described, *described.get("anyOf", ())):
            if one.get("type") == "string":
                one.setdefault("pattern", _DECIMAL)
        return described

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        """Without `discriminator`, of which the two standards make different things.

        Each alternative says by `const` what its tag is.
        """
        described = super().tagged_union_schema(schema)
        described.pop("discriminator", None)
        return described


class Schemas:
    """The schemas of these operations. `ConfigurationError` names the one that has none.

    `components` are those with a name, for `#/components/schemas/`.
    """

    def __init__(self, operations: Iterable[Operation]) -> None:
        wanted = [one for operation in operations for one in _wanted(operation)]
        self._found, self.components = _generate(wanted)
        _, own = _generate([(OWN, "serialization", TypeAdapter(OWN))], prefix=OWN_PREFIX)
        self.components.update({OWN_PREFIX + name: schema for name, schema in own.items()})

    def parameter(self, operation: Operation, parameter: Parameter) -> Schema:
        """Of a parameter, the body included. One in path or query is not null: it is not there."""
        schema = dict(self._found[operation.name, parameter.name, "validation"])
        if parameter.source == "body":
            return schema
        alternatives = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
        if len(alternatives) == 1:
            schema = {**{k: v for k, v in schema.items() if k != "anyOf"}, **alternatives[0]}
        elif alternatives:
            schema["anyOf"] = alternatives
        if parameter.default not in (inspect.Parameter.empty, None):
            with suppress(PydanticSerializationError):  # it has one, but not of JSON
                schema["default"] = to_jsonable_python(parameter.default)
        return schema

    def result(self, operation: Operation) -> Schema:
        """Of what the handler returns."""
        return dict(self._found[operation.name, "", "serialization"])


def own(name: str) -> Schema:
    """A reference to one of the gateway's own documents."""
    return {"$ref": f"{REF}{OWN_PREFIX}{name}"}


_Key = tuple[str, str, str]  # operation, parameter (empty: the result), mode
_Wanted = tuple[Any, JsonSchemaMode, TypeAdapter[Any]]


def _wanted(operation: Operation) -> Iterable[_Wanted]:
    for parameter in operation.binding.parameters:
        key = (operation.name, parameter.name, "validation")
        yield key, "validation", parameter.adapter
    yield (operation.name, "", "serialization"), "serialization", operation.binding.output


def _generate(
    wanted: list[_Wanted], prefix: str = ""
) -> tuple[Mapping[_Key, Schema], dict[str, Schema]]:
    def schemas(some: list[_Wanted]) -> Any:
        return TypeAdapter.json_schemas(
            some, ref_template=f"{REF}{prefix}{{model}}", schema_generator=_Generator
        )

    try:
        found, definitions = schemas(wanted)
    except Exception:
        _name_the_culprit(wanted, schemas)
        raise
    definitions = definitions.get("$defs", {})
    names = merged(definitions)
    named = {names.get(name, name): renamed(one, names) for name, one in definitions.items()}
    return {key: renamed(schema, names) for (key, _), schema in found.items()}, named


def _name_the_culprit(wanted: list[_Wanted], schemas: Any) -> None:
    for key, mode, adapter in wanted:
        try:
            schemas([(key, mode, adapter)])
        except Exception as error:  # noqa: BLE001 - types of the user's may raise anything
            name, parameter, _ = key
            what = f"the parameter {parameter!r}" if parameter else "its result"
            reason = re.sub(r"\s+", " ", str(error))
            raise ConfigurationError(
                f"{name}: the type of {what} gives no JSON Schema: {reason}"
            ) from None

"""Refuses a setting of the wrong type where it is given, before anything computes with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, fields
from functools import cache
from typing import Any, ClassVar, Protocol, get_type_hints

from pydantic import TypeAdapter, ValidationError

from .errors import ConfigurationError

CHECKED: Mapping[str, Any] = {"checked": True}
"""Metadata of a field whose class says itself, and better, what is wrong with it."""


class Declared(Protocol):
    """An instance of any dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


def check_types(declared: Declared, label: str) -> None:
    """`ConfigurationError` unless each field of a dataclass holds what its annotation says.

    Nothing is converted: `"5"` is no number, and `5` is no `Retry`. Fields that are not given to
    the constructor, or are `CHECKED` elsewhere, are left alone.
    """
    for name, adapter in _adapters(type(declared)).items():
        value = getattr(declared, name)
        try:
            adapter.validate_python(value, strict=True)
        except ValidationError as error:
            found = error.errors(include_url=False)[0]
            within = "".join(f"[{part}]" for part in found["loc"] if isinstance(part, int))
            wanted = found["msg"].removeprefix("Input should be ")
            raise ConfigurationError(
                f"{label}: {name}{within} is {found['input']!r}, and should be {wanted}"
            ) from None


@cache
def _adapters(declared: type[Declared]) -> Mapping[str, TypeAdapter[Any]]:
    hints = get_type_hints(declared)
    return {
        field.name: TypeAdapter(hints[field.name])
        for field in fields(declared)
        if field.init and field.metadata != CHECKED
    }

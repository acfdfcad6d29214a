"""One type, one schema: where what goes in and what comes out look the same, they are the same."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_WAY = re.compile(r"-(?:Input|Output)$")


def merged(definitions: Mapping[str, Any]) -> dict[str, str]:
    """New names of definitions: `Tree-Input` and `Tree-Output` as `Tree`, if they are equal.

    Pydantic does that, but for types within themselves. Equal are two that differ in references to
    such pairs alone, so all are taken to be equal until one is found that is not.
    """
    pairs = {
        _WAY.sub("", name)
        for name in definitions
        if name.endswith("-Input") and _WAY.sub("-Output", name) in definitions
    }
    pairs = {base for base in pairs if base not in definitions}
    while True:
        names = {f"{base}-{way}": base for base in pairs for way in ("Input", "Output")}
        unequal = {
            base
            for base in pairs
            if renamed(definitions[f"{base}-Input"], names)
            != renamed(definitions[f"{base}-Output"], names)
        }
        if not unequal:
            return names
        pairs -= unequal


def renamed(schema: Any, names: Mapping[str, str]) -> Any:
    """The schema, with references to the new names."""
    if isinstance(schema, list):
        return [renamed(one, names) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _reference(value, names) if key == "$ref" else renamed(value, names)
        for key, value in schema.items()
    }


def _reference(value: Any, names: Mapping[str, str]) -> Any:
    if not isinstance(value, str):
        return renamed(value, names)  # a property of that name
    start, slash, name = value.rpartition("/")
    return start + slash + names.get(name, name)

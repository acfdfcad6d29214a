"""The OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.1.html) of an app."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ...operation import Operation
from .answers import components
from .calls import Calls, key_parameter, tag_of, template
from .own_paths import own_paths
from .schemas import Schemas
from .secured import secure

Document = dict[str, Any]

_BRACES = re.compile(r"{\w+}")
_NAMES = re.compile(r"{(\w+)}")
_OWN_TAGS = {
    "jobs": "Stored requests, and what became of them",
    "events": "What happens to jobs, as it happens",
    "health": "How the service is",
}


def openapi_document(
    name: str,
    operations: Iterable[Operation],
    schemas: Schemas,
    *,
    prefix: str,
    quoted_keys: bool,
    version: str,
    server: str,
    security: Mapping[str, Document],
) -> Document:
    """The document. `security`: see `secure`."""
    served = [operation for operation in operations if operation.path and operation.method]
    paths = {**_paths(served, Calls(schemas)), **own_paths(prefix)}
    document: Document = {
        "openapi": "3.1.1",
        "info": {"title": name, "version": version},
        "servers": [{"url": server}],
        "tags": _tags(served),
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "parameters": key_parameter(quoted=quoted_keys),
            **components(),
        },
    }
    if security:
        secure(document, prefix, security)
    return document


def _paths(served: Iterable[Operation], calls: Calls) -> Document:
    """Operations by path; of paths that differ in their parameters' names alone, by the first."""
    paths: Document = {}
    spelt: dict[str, str] = {}
    for operation in served:
        path = template(operation.path or "")
        shared = spelt.setdefault(_BRACES.sub("{}", path), path)
        names = dict(zip(_NAMES.findall(path), _NAMES.findall(shared), strict=True))
        item = paths.setdefault(shared, {})
        item[(operation.method or "").lower()] = calls.of(operation, names)
    return paths


def _tags(served: Iterable[Operation]) -> list[Document]:
    names = dict.fromkeys(tag_of(operation) for operation in served)
    of_operations = [{"name": name} for name in names if name not in _OWN_TAGS]
    own = [{"name": name, "description": text} for name, text in _OWN_TAGS.items()]
    return [*of_operations, *own]

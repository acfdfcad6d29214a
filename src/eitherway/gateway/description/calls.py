"""An app's operations in OpenAPI: what each takes, and every way in which it may answer."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from typing import Any

from ...codec import Parameter
from ...operation import Operation
from ..idempotency import SAFE
from .answers import answer, headers, problems
from .called_back import CALLBACKS, PARAMETER, REFUSALS
from .schemas import Schemas, own

Document = dict[str, Any]

_KEY_PATTERN = r'^([!#-~][!-~]{0,254}|"([!#-\[\]-~]|\\["\\]){1,255}")$'
_QUOTED_PATTERN = r'^"([!#-\[\]-~]|\\["\\]){1,255}"$'
_KEY = "Idempotency-Key"
_KEY_REFERENCE = {"$ref": f"#/components/parameters/{_KEY}"}
_CONVERTOR = re.compile(r"{(\w+):\w+}")
_NO_BODY = frozenset({204})

PREFER: Document = {
    "name": "Prefer",
    "in": "header",
    "description": "how to be answered (RFC 7240): at once with a job, or within so many seconds",
    "schema": {"type": "string"},
    "examples": {
        "respond-async": {"summary": "a job, at once", "value": "respond-async"},
        "wait": {"summary": "the result within 5 s, else the job", "value": "wait=5"},
        "both": {"summary": "the same", "value": "respond-async, wait=5"},
    },
}

LINKS: Document = {
    name: {
        "operationId": f"jobs.{name}",
        "parameters": {"id": "$response.body#/id"},
        "description": description,
    }
    for name, description in {
        "show": "The job as it is now",
        "result": "What the direct call would have answered",
        "cancel": "End the job",
    }.items()
}


def template(path: str) -> str:
    """The path as OpenAPI writes it: without convertors."""
    return _CONVERTOR.sub(r"{\1}", path)


def key_parameter(*, quoted: bool) -> Document:
    """The header `Idempotency-Key`, for the document's `components`.

    A parameter where it is required, else `x-idempotency-key`: OpenAPI cannot say that no two
    requests may have the same, so tools that make requests up would be refused (422).
    """
    pattern = _QUOTED_PATTERN if quoted else _KEY_PATTERN
    return {
        _KEY: {
            "name": _KEY,
            "in": "header",
            "required": True,
            "description": "of your own choice, the same for each repeat of a request, and for no "
            "other: so it runs once",
            "schema": {"type": "string", "pattern": pattern},
        }
    }


class Calls:
    """Describes operations, by the schemas of their types."""

    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas

    def of(self, operation: Operation, names: dict[str, str]) -> Document:
        """The Operation Object; `names` are those that the path has for its parameters."""
        described: Document = {"operationId": operation.name, **_text(operation)}
        if parameters := list(self._parameters(operation, names)):
            described["parameters"] = parameters
        if operation.idempotency_key == "optional" and _takes_key(operation):
            described["x-idempotency-key"] = _KEY_REFERENCE
        if (body := operation.binding.body) is not None:
            schema = self._schemas.parameter(operation, body)
            content = {"application/json": {"schema": schema}}
            described["requestBody"] = {"required": body.required, "content": content}
        described["responses"] = self._responses(operation)
        if operation.callbacks:
            described["callbacks"] = CALLBACKS
        return described

    def _parameters(self, operation: Operation, names: dict[str, str]) -> Iterable[Document]:
        for parameter in operation.binding.parameters:
            if parameter.source != "body":
                yield self._parameter(operation, parameter, names)
        if operation.delivery != "direct":
            yield PREFER
        if operation.callbacks:
            yield PARAMETER
        if operation.idempotency_key == "required":
            yield _KEY_REFERENCE

    def _parameter(
        self, operation: Operation, parameter: Parameter, names: dict[str, str]
    ) -> Document:
        schema = self._schemas.parameter(operation, parameter)
        in_path = parameter.source == "path"
        if in_path and schema.get("type") == "string":
            schema.setdefault("minLength", 1)
        return {
            "name": names[parameter.name] if in_path else parameter.name,
            "in": parameter.source,
            "required": in_path or parameter.required,
            "schema": schema,
        }

    def _responses(self, operation: Operation) -> Document:
        queued = operation.delivery != "direct"
        responses = {str(operation.status): self._success(operation)}
        if queued:
            receipt = _receipt(operation.delivery)
            if operation.status == 202:  # either of them
                result = responses["202"]["content"]["application/json"]["schema"]
                receipt["content"] = {
                    "application/json": {"schema": {"anyOf": [result, own("Job")]}}
                }
                receipt["headers"] = headers("Retry-After", "Preference-Applied", "Vary")
            responses["202"] = receipt
        statuses = {404, 405, 422, 500, 503, 504}
        if operation.binding.body is not None:
            statuses |= {400, 413, 415}
        if queued:
            statuses |= {413}
        if operation.callbacks:
            statuses |= REFUSALS
        if _takes_key(operation):
            statuses |= {400, 409} | ({410} if queued else set())
        return {**responses, **problems(*statuses, others=True)}

    def _success(self, operation: Operation) -> Document:
        schema = None if operation.status in _NO_BODY else self._schemas.result(operation)
        names = ["Preference-Applied", "Vary"] if operation.delivery != "direct" else []
        if _takes_key(operation) and operation.delivery != "queued":
            names.append("Idempotent-Replayed")
        return answer("The result", schema, *names)


def _receipt(delivery: str) -> Document:
    when = (
        "Stored, to be run by a worker"
        if delivery == "queued"
        else "Stored, or running on as a job"
    )
    names = ("Location", "Operation-Location", "Retry-After", "Preference-Applied", "Vary")
    return {**answer(when, own("Job"), *names), "links": LINKS}


def _takes_key(operation: Operation) -> bool:
    return operation.idempotency_key != "ignored" and operation.method not in SAFE


def text_of(operation: Operation) -> tuple[str, str]:
    """The first line of the handler's docstring, and the rest of it."""
    text = inspect.getdoc(operation.handler) or ""
    first, _, rest = text.partition("\n")
    return first.strip(), rest.strip()


def _text(operation: Operation) -> Document:
    summary, description = text_of(operation)
    described = {"summary": summary or operation.name.replace("_", " ")}
    if description:
        described["description"] = description
    return {"tags": [tag_of(operation)], **described}


def tag_of(operation: Operation) -> str:
    """What operations are grouped by: the first part of their path that is a word."""
    words = [part for part in (operation.path or "").split("/") if part and "{" not in part]
    return words[0] if words else "operations"

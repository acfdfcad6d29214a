"""The queue in AsyncAPI: of each operation that can be stored, a channel, and one for its reply."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from ...operation import Operation
from .calls import text_of
from .schemas import Schemas, own

Document = dict[str, Any]

_JOB_ID = "$message.header#/job_id"
_CORRELATION = {"location": _JOB_ID, "description": "the job's id"}


class Queues:
    """Describes what goes to the workers of these operations, and what comes back."""

    def __init__(self, operations: Sequence[Operation], schemas: Schemas) -> None:
        self._operations = operations
        self._schemas = schemas

    def channels(self) -> Document:
        """For each operation its queue, and its replies: those have no address of their own."""
        found: Document = {}
        for operation in self._operations:
            name = operation.name
            found[_key(name)] = _channel(f"queue/{quote(name, safe='')}", f"Jobs of {name}", name)
            replies = _channel(None, f"Results of {name}", f"{name}.result")
            found[_key(f"{name}.reply")] = replies
        return found

    def operations(self) -> Document:
        """For each operation: the gateway sends, a worker receives."""
        found: Document = {}
        for operation in self._operations:
            summary, _ = text_of(operation)
            shared = {
                "channel": _channel_of(operation.name),
                "messages": [_message_in(operation.name, operation.name)],
                "reply": {
                    "address": {"location": _JOB_ID, "description": "kept under the job's id"},
                    "channel": _channel_of(f"{operation.name}.reply"),
                    "messages": [
                        _message_in(f"{operation.name}.reply", f"{operation.name}.result")
                    ],
                },
            }
            about = summary or f"Run {operation.name}"
            enqueued = {"action": "send", "summary": f"Store a job of {operation.name}", **shared}
            found[_key(f"{operation.name}.enqueue")] = enqueued
            found[_key(f"{operation.name}.run")] = {"action": "receive", "summary": about, **shared}
        return found

    def messages(self) -> Document:
        """For each operation: what asks for it, and what it gives."""
        found: Document = {}
        for operation in self._operations:
            name = operation.name
            found[_key(name)] = self._request(operation)
            found[_key(f"{name}.result")] = {
                "name": f"{name}.result",
                "title": f"The result of {name}, or why there is none",
                "headers": _headers({"job_id": {"type": "string"}}),
                "correlationId": _CORRELATION,
                "payload": {"anyOf": [self._schemas.result(operation), own("Problem")]},
            }
        return found

    def _request(self, operation: Operation) -> Document:
        binding = operation.binding
        headers: Document = {
            "job_id": {"type": "string"},
            "operation": {"type": "string", "const": operation.name},
            "version": {"type": "integer", "minimum": 1, "maximum": operation.version},
        }
        params = {
            parameter.name: self._schemas.parameter(operation, parameter)
            for parameter in binding.parameters
            if parameter.source != "body"
        }
        if params:
            headers["params"] = {"type": "object", "properties": params}
        message = {
            "name": operation.name,
            "title": f"A job of {operation.name}",
            "headers": _headers(headers),
            "correlationId": _CORRELATION,
        }
        if binding.body is not None:
            message["payload"] = self._schemas.parameter(operation, binding.body)
        return message


def _key(name: str) -> str:
    """A key of the document: letters, digits, `-`, `_`, `.`."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in name)


def _headers(properties: Document) -> Document:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _channel(address: str | None, title: str, message: str) -> Document:
    reference = {"$ref": f"#/components/messages/{_key(message)}"}
    return {
        "address": address,
        "title": title,
        "servers": [{"$ref": "#/servers/engine"}],
        "messages": {_key(message): reference},
    }


def _channel_of(name: str) -> Document:
    return {"$ref": f"#/channels/{_key(name)}"}


def _message_in(channel: str, message: str) -> Document:
    return {"$ref": f"#/channels/{_key(channel)}/messages/{_key(message)}"}

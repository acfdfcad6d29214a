"""Push in AsyncAPI: the WebSocket at `/events`, with what goes over it in both directions."""

from __future__ import annotations

from typing import Any

from ...job import JobState
from ..push.cloudevents import TYPE_PREFIX
from ..push.handshake import SUBPROTOCOL
from .schemas import own

Document = dict[str, Any]

_CLOUDEVENTS = "application/cloudevents+json"
_KINDS = [*(state.value for state in JobState), "progress"]
EVENT_MESSAGES = [f"job.{kind}" for kind in _KINDS]
FRAMES = {"subscribe": "Subscribe", "unsubscribe": "Unsubscribe"}


def channel(prefix: str) -> Document:
    """The Channel Object of the WebSocket."""
    return {
        "address": f"{prefix}/events",
        "title": "Events of jobs",
        "description": f"A WebSocket with the subprotocol {SUBPROTOCOL}.",
        "servers": [{"$ref": "#/servers/gateway"}],
        "messages": {
            name: {"$ref": f"#/components/messages/{name}"} for name in (*EVENT_MESSAGES, *FRAMES)
        },
        "bindings": {"ws": _binding()},
    }


def event_messages() -> Document:
    """One message for each type of event."""
    return {
        name: {
            "name": TYPE_PREFIX + kind,
            "title": "A job told of its progress" if kind == "progress" else f"A job is {kind}",
            "contentType": _CLOUDEVENTS,
            "correlationId": {
                "location": "$message.payload#/subject",
                "description": "the job's id",
            },
            "payload": {
                "allOf": [own("Event"), {"properties": {"type": {"const": TYPE_PREFIX + kind}}}]
            },
        }
        for name, kind in zip(EVENT_MESSAGES, _KINDS, strict=True)
    }


def frame_messages() -> Document:
    """What a follower may say."""
    return {
        name: {
            "name": name,
            "title": f"{schema} to jobs" if name == "subscribe" else f"{schema} from jobs",
            "contentType": "application/json",
            "payload": own(schema),
        }
        for name, schema in FRAMES.items()
    }


def _binding() -> Document:
    parameters = {
        "jobs": {"type": "string", "description": "ids of jobs, with commas"},
        "after": {"type": "string", "description": "a cursor: only what came after it"},
    }
    protocol = {"type": "string", "const": SUBPROTOCOL}
    return {
        "method": "GET",
        "query": {"type": "object", "properties": parameters},
        "headers": {
            "type": "object",
            "properties": {"Sec-WebSocket-Protocol": protocol},
            "required": ["Sec-WebSocket-Protocol"],
        },
        "bindingVersion": "0.1.0",
    }

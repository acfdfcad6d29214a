"""The AsyncAPI 3.1 document of an app (https://www.asyncapi.com/docs/reference/specification/v3.1.0).

The application is the service as a whole: its gateway sends jobs to queues and events to followers,
its workers receive jobs and reply.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from ...operation import Operation
from .followers import EVENT_MESSAGES, FRAMES, channel, event_messages, frame_messages
from .queues import Queues
from .schemas import Schemas
from .secured import events_schemes

Document = dict[str, Any]


def asyncapi_document(
    name: str,
    operations: Iterable[Operation],
    schemas: Schemas,
    *,
    prefix: str,
    version: str,
    public_url: str | None,
    address: str,
    engine: str,
    security: Mapping[str, Document],
) -> Document:
    """The document. `address`: host and port, where no `public_url` says it; `engine`: a scheme."""
    queues = Queues([one for one in operations if one.delivery != "direct"], schemas)
    events = {"$ref": "#/channels/events"}
    document: Document = {
        "asyncapi": "3.1.0",
        "info": {"title": name, "version": version},
        "defaultContentType": "application/json",
        "servers": {"gateway": _gateway(public_url, address), "engine": _engine(engine)},
        "channels": {"events": channel(prefix), **queues.channels()},
        "operations": {
            "events.send": {
                "action": "send",
                "channel": events,
                "summary": "Tell a follower what happened to a job",
                "messages": [
                    {"$ref": f"#/channels/events/messages/{one}"} for one in EVENT_MESSAGES
                ],
            },
            "events.receive": {
                "action": "receive",
                "channel": events,
                "summary": "A follower says which jobs it follows",
                "messages": [{"$ref": f"#/channels/events/messages/{one}"} for one in FRAMES],
            },
            **queues.operations(),
        },
        "components": {
            "schemas": schemas.components,
            "messages": {**event_messages(), **frame_messages(), **queues.messages()},
        },
    }
    if security:
        schemes = document["components"]["securitySchemes"] = events_schemes(security)
        references = [{"$ref": f"#/components/securitySchemes/{scheme}"} for scheme in schemes]
        document["servers"]["gateway"]["security"] = references
    return document


def _gateway(public_url: str | None, address: str) -> Document:
    if public_url is None:
        host = {"default": address, "description": "where the gateway is reached"}
        return {"host": "{host}", "protocol": "ws", "variables": {"host": host}}
    parts = urlsplit(public_url)
    secure = "wss" if parts.scheme == "https" else "ws"
    server: Document = {"host": parts.netloc, "protocol": secure}
    if path := parts.path.rstrip("/"):
        server["pathname"] = path
    return server


def _engine(scheme: str) -> Document:
    return {
        "host": "{engine}",
        "protocol": scheme,
        "description": "Where jobs wait: for gateways and workers alone",
        "variables": {"engine": {"default": "localhost", "description": "not for the public"}},
    }

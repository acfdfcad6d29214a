"""Callbacks in OpenAPI: the header that asks for one, and what is sent then."""

from __future__ import annotations

from typing import Any

from ...problem import CATALOGUE
from .schemas import own

Document = dict[str, Any]

_HEADER = "Callback-URL"

PARAMETER: Document = {
    "name": _HEADER,
    "in": "header",
    "description": "who is to be told of the job's end; of URLs that the operation allows",
    "schema": {"type": "string", "format": "uri", "maxLength": 2048},
}

_SIGNED = {
    "webhook-id": "the event's `id`, the same in each attempt",
    "webhook-timestamp": "when this attempt was signed, in seconds since 1970",
    "webhook-signature": "`v1,` and a signature in base64 (Standard Webhooks), of each secret",
}

CALLBACKS: Document = {
    "ended": {
        f"{{$request.header.{_HEADER}}}": {
            "post": {
                "summary": "The job has ended",
                "parameters": [
                    {
                        "name": name,
                        "in": "header",
                        "required": True,
                        "description": description,
                        "schema": {"type": "string"},
                    }
                    for name, description in _SIGNED.items()
                ],
                "requestBody": {
                    "required": True,
                    "content": {"application/cloudevents+json": {"schema": own("Event")}},
                },
                "responses": {
                    "2XX": {"description": "Taken"},
                    "410": {"description": "Nobody is here any more: nothing more is sent"},
                    "default": {"description": "To be sent again later"},
                },
            }
        }
    }
}

REFUSALS = {CATALOGUE[name][0] for name in ("callback-invalid", "callback-not-allowed")}
"""The statuses of requests whose URL will not do."""

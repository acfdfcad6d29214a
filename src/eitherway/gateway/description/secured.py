"""What authentication adds to the OpenAPI document: schemes, 401, and tickets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .answers import answer, problems

Document = dict[str, Any]

_TICKET = {
    "type": "object",
    "properties": {
        "ticket": {"type": "string"},
        "expires": {"type": "string", "format": "date-time"},
    },
    "required": ["ticket", "expires"],
}


def secure(document: Document, prefix: str, schemes: Mapping[str, Document]) -> None:
    """Say in the document who is let in. `schemes`: Security Scheme Objects by name; one will do.

    Where anybody is let in there is an empty name among them: a requirement of nothing.
    """
    named = {name: scheme for name, scheme in schemes.items() if name}
    document["paths"][f"{prefix}/tickets"] = {"post": _tickets()}
    document["security"] = [{name: []} if name else {} for name in schemes]
    document["components"]["securitySchemes"] = named
    for item in document["paths"].values():
        for operation in item.values():
            if operation.get("security") != []:
                operation["responses"] |= problems(401)


def events_schemes(schemes: Mapping[str, Document]) -> Document:
    """The same schemes as AsyncAPI spells them."""
    return {
        name: {**scheme, "type": "httpApiKey"} if scheme["type"] == "apiKey" else dict(scheme)
        for name, scheme in schemes.items()
        if name
    }


def _tickets() -> Document:
    return {
        "operationId": "tickets.issue",
        "tags": ["events"],
        "summary": "A credential for a URL, of a minute",
        "description": "For pages: `/events?ticket=...`. A WebSocket takes it once.",
        "responses": {"200": answer("The ticket", _TICKET, "Cache-Control"), **problems(405, 503)},
    }

"""Responses and headers that several operations share, as components of the OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...problem import CATALOGUE, MEDIA_TYPE
from .schemas import own

Document = dict[str, Any]

_URL = {"type": "string", "format": "uri"}
_COUNT = {"type": "integer", "minimum": 1}

HEADERS: Mapping[str, Document] = {
    "Accept": {"description": "media types that a body may have"},
    "Accept-Encoding": {"description": "content encodings that a body may have"},
    "Allow": {"description": "the methods that are served here", "required": True},
    "Cache-Control": {"description": "who may keep the answer"},
    "ETag": {"description": "moves with the status, the attempts and the progress"},
    "Idempotent-Replayed": {
        "description": "`true`: the answer that a request with this key got before",
        "schema": {"type": "string", "const": "true"},
    },
    "Location": {"description": "the job's URL", "required": True, "schema": _URL},
    "Operation-Location": {"description": "the job's URL", "required": True, "schema": _URL},
    "Preference-Applied": {"description": "what was honoured of `Prefer` (RFC 7240)"},
    "Retry-After": {"description": "seconds until it is worth asking again", "schema": _COUNT},
    "WWW-Authenticate": {"description": "the credentials that are taken", "required": True},
    "Vary": {"description": "the headers of the request that the answer depends on"},
}
"""Every header that an answer may have, beside those of its body."""

_STATUSES: Mapping[int, tuple[str, tuple[str, ...]]] = {
    400: ("BadRequest", ()),
    401: ("Unauthorized", ("WWW-Authenticate", "Cache-Control")),
    404: ("NotFound", ("Cache-Control", "Retry-After")),
    405: ("MethodNotAllowed", ("Allow",)),
    409: ("Conflict", ("Retry-After", "Idempotent-Replayed")),
    410: ("Gone", ("Cache-Control",)),
    413: ("ContentTooLarge", ()),
    415: ("UnsupportedMediaType", ("Accept", "Accept-Encoding")),
    422: ("UnprocessableContent", ("Idempotent-Replayed",)),
    500: ("InternalServerError", ()),
    503: ("ServiceUnavailable", ("Cache-Control", "Retry-After")),
    504: ("GatewayTimeout", ()),
}
_REJECTED = "Rejected"


def components() -> Document:
    """`headers` and `responses`, for the document's `components`."""
    responses = {
        name: _problem(_meaning(status), headers) for status, (name, headers) in _STATUSES.items()
    }
    responses[_REJECTED] = _problem(
        "The operation's own refusal", ("Idempotent-Replayed", "Retry-After")
    )
    headers = {name: {"schema": {"type": "string"}, **header} for name, header in HEADERS.items()}
    return {"headers": headers, "responses": responses}


def problems(*statuses: int, others: bool = False) -> Document:
    """References to the problems of these statuses; with `others`, also to any other 4xx."""
    found = {str(status): _reference(_STATUSES[status][0]) for status in sorted(statuses)}
    if others:
        found["4XX"] = _reference(_REJECTED)
    return found


def headers(*names: str) -> Document:
    """References to these headers."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def answer(
    description: str, schema: Document | None, *names: str, media_type: str = "application/json"
) -> Document:
    """A response with these headers; without a schema, without a body."""
    response: Document = {"description": description}
    if names:
        response["headers"] = headers(*names)
    if schema is not None:
        response["content"] = {media_type: {"schema": schema}}
    return response


def _problem(description: str, names: tuple[str, ...]) -> Document:
    return answer(description, own("Problem"), *names, "Vary", media_type=MEDIA_TYPE)


def _meaning(status: int) -> str:
    """What a status says here: the titles of its problems."""
    titles = [f"{title} (`{name}`)" for name, (of, title) in CATALOGUE.items() if of == status]
    return "; ".join(titles)


def _reference(name: str) -> Document:
    return {"$ref": f"#/components/responses/{name}"}

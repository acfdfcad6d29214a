"""Problems (RFC 9457): the one shape of every refusal and failure, in both deliveries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

MEDIA_TYPE = "application/problem+json"

CATALOGUE: Mapping[str, tuple[int, str]] = {
    "malformed-input": (400, "The body is not valid JSON"),
    "malformed-request": (400, "The request is not valid HTTP"),
    "invalid-subscription": (400, "What is asked for cannot be followed"),
    "idempotency-key-invalid": (400, "The Idempotency-Key is not valid"),
    "idempotency-key-missing": (400, "The operation needs an Idempotency-Key"),
    "callback-invalid": (400, "The Callback-URL is not valid"),
    "callback-unsupported": (400, "The operation takes no Callback-URL"),
    "unauthorized": (401, "A credential is needed"),
    "operators-only": (403, "This is for operators"),
    "origin-refused": (403, "Pages of this origin may not connect"),
    "not-found": (404, "Nothing is here"),
    "unknown-job": (404, "No such job"),
    "result-not-ready": (404, "The job has not finished"),
    "method-not-allowed": (405, "The method is not allowed here"),
    "request-timeout": (408, "The request came too slowly"),
    "idempotency-key-in-use": (409, "A request with this Idempotency-Key is being answered"),
    "job-gone": (410, "The job is no longer kept"),
    "payload-too-large": (413, "The body is too large"),
    "url-too-long": (414, "The URL is too long"),
    "unsupported-media-type": (415, "The body's media type is not supported"),
    "unsupported-encoding": (415, "The body's content encoding is not supported"),
    "invalid-input": (422, "The input does not fit the operation"),
    "idempotency-key-reused": (422, "The Idempotency-Key belongs to another request"),
    "callback-not-allowed": (422, "Callbacks do not go to this URL"),
    "rejected": (422, "The operation rejected the request"),
    "headers-too-large": (431, "The headers are too large"),
    "internal-error": (500, "The operation failed"),
    "incompatible": (500, "The stored input does not fit the operation any more"),
    "crashed": (500, "The process died while it ran the operation"),
    "too-many-connections": (503, "The gateway holds as many connections as it may"),
    "authentication-unavailable": (503, "Credentials cannot be checked now"),
    "backlog-full": (503, "Too many jobs of the operation wait"),
    "overloaded": (503, "The operation is at its limit"),
    "retry-later": (503, "The operation asks to try again later"),
    "throttled": (503, "The database is at its limit"),
    "engine-unavailable": (503, "The store is not available"),
    "not-ready": (503, "The service is not ready"),
    "timed-out": (504, "The operation took too long"),
    "expired": (504, "The job's deadline has passed"),
}
"""Every problem type: its name under `/problems/`, its status and its title."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One refusal or failure, without internals."""

    name: str  # in CATALOGUE
    detail: str
    status: int
    errors: Sequence[Mapping[str, str]] = ()  # {"pointer", "detail"} of each wrong value
    retry_after_seconds: float | None = None

    @classmethod
    def of(cls, name: str, detail: str = "", **more: Any) -> Problem:
        """The problem `name` with its status from the catalogue, unless `status` is given."""
        more.setdefault("status", CATALOGUE[name][0])
        return cls(name=name, detail=detail, **more)

    def document(self) -> dict[str, Any]:
        """The problem as a JSON-ready mapping."""
        body: dict[str, Any] = {
            "type": f"/problems/{self.name}",
            "title": CATALOGUE[self.name][1],
            "status": self.status,
        }
        if self.detail:
            body["detail"] = self.detail
        if self.errors:
            body["errors"] = list(self.errors)
        return body


@dataclass(slots=True)
class Answer:
    """What a call answers: kept as bytes, so that a queued result equals the direct one.

    Not changed once it is made; each attempt makes one, which is three times as fast unfrozen.
    """

    status: int
    media_type: str
    body: bytes

    @classmethod
    def of_problem(cls, document: Mapping[str, Any]) -> Answer:
        """The answer that a problem document makes."""
        return cls(document["status"], MEDIA_TYPE, to_json(document))

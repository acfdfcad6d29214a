"""The header `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header-07), read and checked.

What a client sends becomes a key of the engine: of the principal, the route and the client's own
key. The fingerprint is of the request; what may differ when it is sent again (preferences, tracing,
credentials) is not part of it, so a repeat may ask for the other delivery.
"""

from __future__ import annotations

from hashlib import sha256

from ..attempt.idempotency import in_use
from ..clock import Clock
from ..engine.idempotency import KeyRecord, KeyState, KeyUse
from ..errors import InvalidInputError
from ..key_header import own_key
from ..operation import Operation
from ..problem import Answer, Problem
from ..settings import Settings
from .routes import Request
from .wire import Header, RefusedError

REPLAYED: Header = (b"idempotent-replayed", b"true")

_NAME = b"idempotency-key"
SAFE = frozenset({None, "GET", "HEAD"})
"""Methods that need no key: what they do is not done twice."""


class KeyHeader:
    """Reads the keys of one operation's requests."""

    def __init__(self, settings: Settings, operation: Operation, clock: Clock) -> None:
        self._clock = clock
        self._kept_seconds = settings.idempotency_key_seconds
        self._quoted = settings.idempotency_key_quoted
        self._required = operation.idempotency_key == "required"
        self._ignored = operation.idempotency_key == "ignored" or operation.method in SAFE

    def use(self, request: Request, body: bytes) -> KeyUse | None:
        """What the request uses a key for; None without one. `RefusedError` (400)."""
        if self._ignored:
            return None
        if request.first.get(_NAME) is None:
            if self._required:
                detail = "send an Idempotency-Key, of your own choice, a new one for each request"
                raise RefusedError(Problem.of("idempotency-key-missing", detail))
            return None
        own = self._parse([value for name, value in request.scope["headers"] if name == _NAME])
        scope = request.scope
        method, route = scope["method"].encode(), request.route.encode()
        media_type = request.first.get(b"content-type") or b""
        asked = (method, scope["path"].encode(), scope["query_string"], media_type, body)
        principal = (request.owner or "").encode()
        return KeyUse(
            key=_digest(principal, method, route, own).hex(),
            fingerprint=_digest(*asked),
            expires=self._clock.now() + self._kept_seconds,
        )

    def _parse(self, values: list[bytes]) -> bytes:
        """The key itself: the same one, whether it stands in quotes or not."""
        if len(values) > 1:
            raise _invalid("send one Idempotency-Key, not several")
        try:
            return own_key(values[0], must_be_quoted=self._quoted)
        except InvalidInputError as error:
            raise _invalid(str(error)) from None


def stored_answer(use: KeyUse, record: KeyRecord) -> Answer | None:
    """What a repeat is answered with; None where the key stands for a job, which says that.

    `RefusedError`: 422 for another request than the first one, 409 while that is being answered.
    """
    if record.fingerprint != use.fingerprint:
        detail = "this key was used for another request: send a new one, or the same request"
        raise RefusedError(Problem.of("idempotency-key-reused", detail))
    if record.state in (KeyState.HELD, KeyState.FREE):
        raise RefusedError(in_use())
    return record.answer


def _invalid(detail: str) -> RefusedError:
    return RefusedError(Problem.of("idempotency-key-invalid", detail))


def _digest(*parts: bytes) -> bytes:
    """Of the parts, each with its length, so that nothing can move from one to the next."""
    digest = sha256()
    for part in parts:
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return digest.digest()

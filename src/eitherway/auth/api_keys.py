"""`ApiKeys`: keys that the engine itself keeps."""

from __future__ import annotations

import hmac
import re
from collections import OrderedDict
from collections.abc import Mapping

from ..clock import Clock
from ..engine.contract import Engine
from ..errors import ConfigurationError
from .authenticator import Authenticator, CredentialError, Principal, SecurityScheme, bearer_token
from .keyring import KEY, PREFIX, ApiKey, Keyring, digest_of

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110, section 5.1


class ApiKeys(Authenticator):
    """Keys made by `eitherway keys create`, sent as `Authorization: Bearer ew_...`.

    With `header="X-API-Key"` that header is read first. What the store said of a key is believed
    for `cache_seconds`: so long a revoked key may still open doors. `cache_max` keys are
    remembered, and as many ids that nobody has.
    """

    def __init__(
        self, *, header: str | None = None, cache_seconds: float = 10.0, cache_max: int = 10_000
    ) -> None:
        if header is not None and (
            _HEADER.fullmatch(header) is None or header.lower() == "authorization"
        ):
            raise ConfigurationError(f"ApiKeys(header={header!r}): a header of its own, X-API-Key")
        self._header = None if header is None else header.lower()
        self._known = _Cache(cache_seconds, cache_max)
        self._unknown = _Cache(cache_seconds, cache_max)  # apart: nonsense drives out no good key
        if header is not None:
            self.challenge = f'ApiKey realm="eitherway", header="{header}"'
            definition = {"type": "apiKey", "in": "header", "name": header}
            self.scheme = SecurityScheme("apiKey", definition)
            self.credential_headers = (header.lower(), "authorization")

    async def open(self, engine: Engine, clock: Clock) -> None:
        """Read keys of this engine from now on."""
        self._keyring = Keyring(engine, clock)
        self._clock = clock
        self._known.clear()
        self._unknown.clear()

    async def authenticate(self, headers: Mapping[str, str]) -> Principal | None:
        """The principal of the key that was sent, if it is whole, known, not over, not revoked."""
        sent = self._sent(headers)
        if sent is None:
            return None
        parts = KEY.fullmatch(sent)
        key = None if parts is None else await self._find(parts[1])
        secret = "" if parts is None else parts[2]
        if key is None or not hmac.compare_digest(digest_of(secret), key.digest):
            raise CredentialError("this API key is not known")
        if key.revoked is not None:
            raise CredentialError("this API key was revoked")
        if key.expires is not None and key.expires <= self._clock.now():
            raise CredentialError("this API key has expired")
        return Principal(key.principal, key.expires, f"{PREFIX}{key.id}")

    async def holds(self, principal: Principal) -> bool:
        """Whether its key was not revoked."""
        credential = principal.credential or ""
        if not credential.startswith(PREFIX):
            return True
        key = await self._find(credential.removeprefix(PREFIX))
        return key is not None and key.revoked is None

    def _sent(self, headers: Mapping[str, str]) -> str | None:
        """What claims to be an API key. Under the own header that is everything."""
        if self._header is not None and self._header in headers:
            return headers[self._header]
        token = bearer_token(headers)
        return token if token is not None and token.startswith(PREFIX) else None

    async def _find(self, key_id: str) -> ApiKey | None:
        now = self._clock.monotonic()
        for cache in (self._known, self._unknown):
            if (entry := cache.get(key_id, now)) is not None:
                return entry[0]
        found = await self._keyring.find(key_id)
        (self._unknown if found is None else self._known).put(key_id, found, now)
        return found


class _Cache:
    """What the store said a short while ago, of the ids that were asked for last."""

    def __init__(self, seconds: float, most: int) -> None:
        self._seconds = seconds
        self._most = most
        self._entries: OrderedDict[str, tuple[ApiKey | None, float]] = OrderedDict()

    def get(self, key_id: str, now: float) -> tuple[ApiKey | None, float] | None:
        """What was said, and when; None where that is too long ago, or never was."""
        entry = self._entries.get(key_id)
        if entry is None or not 0 <= now - entry[1] < self._seconds:
            return None
        self._entries.move_to_end(key_id)
        return entry

    def put(self, key_id: str, found: ApiKey | None, now: float) -> None:
        """Remember it, and forget what was not asked for the longest."""
        self._entries[key_id] = (found, now)
        self._entries.move_to_end(key_id)
        while len(self._entries) > self._most:
            self._entries.popitem(last=False)

    def clear(self) -> None:
        """Forget everything: another store, other keys."""
        self._entries.clear()

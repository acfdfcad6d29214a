"""API keys as they are kept: made, listed, revoked. What is kept of a secret is its SHA-256.

A secret has 256 random bits, so that a plain digest cannot be turned back: a slow hash is for what
people choose.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from hashlib import sha256
from typing import Any

from ..clock import Clock
from ..engine.contract import Engine
from ..errors import ConfigurationError, EngineUnavailableError
from ..own_table import OwnTable
from .authenticator import Principal

PREFIX = "ew_"
KEY = re.compile(r"ew_([0-9a-f]{16})_([0-9a-f]{64})")
"""What a key looks like: for secret scanners, too."""

DAY_SECONDS = 86_400.0
_TRIES = 5


@dataclass(frozen=True, kw_only=True)
class ApiKey:
    """A key without its secret. Times are epoch seconds."""

    id: str
    principal: str
    digest: str  # of the secret, in hexadecimal
    created: float
    expires: float | None = None
    revoked: float | None = None

    @classmethod
    def of(cls, key_id: str, document: Mapping[str, Any]) -> ApiKey:
        """The key of a stored document; what a later version added is left aside."""
        known = {field.name for field in fields(cls)}
        return cls(id=key_id, **{name: document[name] for name in known & document.keys()})


class Keyring:
    """The API keys of one engine."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._table = OwnTable(engine, "api-keys")
        self._clock = clock

    async def create(self, principal: str, expires_days: float | None = None) -> tuple[ApiKey, str]:
        """Make a key for the principal: as it is kept, and as it is shown, this once."""
        try:
            Principal(principal)
        except ValueError as error:
            raise ConfigurationError(f"{principal!r}: {error}") from None
        now = self._clock.now()
        secret = secrets.token_hex(32)
        key = ApiKey(
            id=secrets.token_hex(8),
            principal=principal,
            digest=digest_of(secret),
            created=now,
            expires=None if expires_days is None else now + expires_days * DAY_SECONDS,
        )
        await self._write(key, 0)
        return key, f"{PREFIX}{key.id}_{secret}"

    async def find(self, key_id: str) -> ApiKey | None:
        """The key of this id."""
        document, _ = await self._table.get(key_id)
        return None if document is None else ApiKey.of(key_id, document)

    async def all(self) -> list[ApiKey]:
        """Every key there is, oldest first."""
        keys = [ApiKey.of(key_id, document) async for key_id, document in self._table.all()]
        return sorted(keys, key=lambda key: key.created)

    async def revoke(self, key_id: str) -> ApiKey | None:
        """Let the key open nothing any more; None for one that is unknown. Idempotent."""
        for _ in range(_TRIES):
            document, version = await self._table.get(key_id)
            if document is None:
                return None
            key = ApiKey.of(key_id, document)
            if key.revoked is not None:
                return key
            revoked = replace(key, revoked=self._clock.now())
            if await self._write(revoked, version):
                return revoked
        raise EngineUnavailableError(f"the key {key_id} is being changed by others")

    async def _write(self, key: ApiKey, version: int) -> bool:
        document = asdict(key)
        del document["id"]
        return await self._table.put(key.id, document, version)


def digest_of(secret: str) -> str:
    """What is kept of a secret."""
    return sha256(secret.encode()).hexdigest()

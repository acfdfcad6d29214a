"""An issuer's signing keys, fetched when they are needed, and not more often than is decent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from time import monotonic

from jwt import PyJWK, PyJWKClient

from .authenticator import AuthUnavailableError, CredentialError

logger = logging.getLogger("eitherway.gateway")


class IssuerKeys:
    """The keys at a JWKS URL (RFC 7517), by their `kid`.

    They are fetched when a token names one that is not known, and again after `lifespan_seconds`,
    while requests go on with those at hand; between two fetches there are `pause_seconds`, whatever
    tokens name. An issuer that is down takes no key away.
    """

    def __init__(
        self, url: str, *, lifespan_seconds: float, pause_seconds: float, timeout_seconds: float
    ) -> None:
        self._client = PyJWKClient(url, cache_jwk_set=False, timeout=timeout_seconds)
        self._url = url
        self._lifespan_seconds = lifespan_seconds
        self._pause_seconds = pause_seconds
        self._keys: Mapping[str, PyJWK] = {}
        self._fetched: float | None = None  # when it last succeeded
        self._tried: float | None = None  # when it last ended, however
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, kid: str) -> PyJWK:
        """The key. `CredentialError` for one that the issuer has not; `AuthUnavailableError`."""
        found = self._keys.get(kid)
        if found is None:
            await self._fetch()
            found = self._keys.get(kid)
        elif self._older(self._fetched, self._lifespan_seconds):
            self._begin()
        if found is not None:
            return found
        if self._fetched is None or self._fetched != self._tried:
            raise AuthUnavailableError("the issuer of the tokens does not answer")
        raise CredentialError("the token is signed with a key that its issuer does not have")

    async def close(self) -> None:
        """Wait for nothing any more. The thread of a fetch ends with its timeout."""
        task, self._fetching = self._fetching, None
        if task is not None:
            task.cancel()

    async def _fetch(self) -> None:
        """Have them fetched, unless that was a moment ago; one fetch for all who ask meanwhile."""
        self._begin()
        if self._fetching is not None:
            await asyncio.shield(self._fetching)

    def _begin(self) -> None:
        if self._fetching is None and self._older(self._tried, self._pause_seconds):
            self._fetching = asyncio.create_task(self._run(), name="eitherway-jwks")

    async def _run(self) -> None:
        try:
            keys = await asyncio.to_thread(self._client.get_signing_keys)
            self._keys = {key.key_id: key for key in keys if key.key_id is not None}
            self._tried = self._fetched = monotonic()
        except Exception as error:  # noqa: BLE001 - whatever it is that the issuer sent
            self._tried = monotonic()
            logger.warning("no keys from %s: %s", self._url, error)
        finally:
            self._fetching = None

    @staticmethod
    def _older(when: float | None, seconds: float) -> bool:
        return when is None or monotonic() - when >= seconds

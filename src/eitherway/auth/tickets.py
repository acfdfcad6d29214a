"""Tickets: a principal for a minute, in a URL, for browsers, which cannot send headers.

Signed by itsdangerous with a secret that all gateways of one store share: the one that is set, else
one that the first of them made and the engine keeps.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ..clock import Clock
from ..engine.contract import Engine
from ..engine.idempotency import KeyEnd, KeyHold, KeyUse, KeyWish
from ..engine.values import Settlement
from ..errors import ConfigurationError, EngineUnavailableError
from ..own_table import OwnTable
from ..problem import Answer
from .authenticator import CredentialError, Principal

if TYPE_CHECKING:
    from itsdangerous import URLSafeSerializer

TICKET_CHARS_MAX = 8_192
"""More than the longest principal needs, escaped and encoded."""

_USED = Answer(204, "text/plain", b"")
_SECRET = "tickets"  # noqa: S105 - the name of it
_TRIES = 5
_SKEW_SECONDS = 60.0  # by which the clocks of two gateways may differ


@dataclass(frozen=True)
class Ticket:
    """A ticket that was shown: whose it is, and what tells it from others."""

    id: str
    principal: Principal
    expires: float


class Tickets:
    """Makes tickets and reads them."""

    def __init__(
        self, engine: Engine, clock: Clock, secret: str | None, lifetime_seconds: float
    ) -> None:
        if find_spec("itsdangerous") is None:
            raise ConfigurationError('auth needs itsdangerous: pip install "eitherway[auth]"')
        self._engine = engine
        self._clock = clock
        self._secret = secret
        self._lifetime_seconds = lifetime_seconds
        self._signer: URLSafeSerializer | None = None

    async def issue(self, principal: Principal) -> tuple[str, float]:
        """A ticket of the principal, and when it expires: before the principal does."""
        expires = self._clock.now() + self._lifetime_seconds
        if principal.expires is not None:
            expires = min(expires, principal.expires)
        said = [
            secrets.token_hex(12),
            expires,
            principal.id,
            principal.expires,
            principal.credential,
        ]
        signed = (await self._signing()).dumps(said)
        return (signed.decode() if isinstance(signed, bytes) else signed), expires

    async def read(self, text: str) -> Ticket:
        """The ticket, if it is one of ours and has not expired. `CredentialError`."""
        from itsdangerous import BadData  # noqa: PLC0415 - of the extra

        if len(text) > TICKET_CHARS_MAX:
            raise CredentialError("this is no ticket")
        try:
            said: Any = (await self._signing()).loads(text)
        except (BadData, ValueError):
            raise CredentialError("this is no ticket") from None
        ticket_id, expires, *principal = said
        if expires <= self._clock.now():
            raise CredentialError("the ticket has expired")
        return Ticket(ticket_id, Principal(*principal), expires)

    async def use_up(self, ticket: Ticket) -> None:
        """Take a ticket that is good for one use. `CredentialError` if it was used, anywhere.

        It is claimed as an idempotency key, which every engine keeps once, and forgets by itself.
        """
        name = f"ticket:{ticket.id}"
        fingerprint = sha256(name.encode()).digest()
        kept = ticket.expires + _SKEW_SECONDS
        use = KeyUse(key=name, fingerprint=fingerprint, expires=kept)
        wish = KeyWish(use=use, job_id=ticket.id, lease_seconds=self._lifetime_seconds)
        (hold,) = await self._engine.claim([wish])
        if not isinstance(hold, KeyHold):
            raise CredentialError("the ticket was used before")
        end = KeyEnd(hold=hold, expires=kept, answer=_USED)
        await self._engine.settle([Settlement(key=end)])  # or it would be free if this process dies

    async def _signing(self) -> URLSafeSerializer:
        if self._signer is None:
            from itsdangerous import URLSafeSerializer  # noqa: PLC0415 - of the extra

            secret = self._secret or await self._shared_secret()
            self._signer = URLSafeSerializer(
                secret, salt="eitherway.ticket", signer_kwargs={"digest_method": sha256}
            )
        return self._signer

    async def _shared_secret(self) -> str:
        table = OwnTable(self._engine, "secrets")
        for _ in range(_TRIES):
            document, version = await table.get(_SECRET)
            if document is not None:
                return str(document["secret"])
            await table.put(_SECRET, {"secret": secrets.token_hex(32)}, version)
        raise EngineUnavailableError("the secret of tickets cannot be kept")

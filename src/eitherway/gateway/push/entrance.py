"""Who a push connection is from: by ticket or subprotocol, too, as browsers send no headers."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from ...attempt.runtime import Runtime
from ...auth import CredentialError, Principal
from ...auth.tickets import Ticket, Tickets
from ...errors import EngineUnavailableError
from ..gatekeeper import Gatekeeper, unavailable
from ..wire import Scope, header, query

TOKEN_SUBPROTOCOL = "base64url.bearer.authorization.eitherway."  # noqa: S105 - the token follows

_TOKEN_CHARS_MAX = 16_384


async def _nothing() -> None:
    """Nothing is used up."""


@dataclass(frozen=True)
class Entry:
    """Who comes in; `use` is called when everything else allows it."""

    principal: Principal | None = None
    use: Callable[[], Awaitable[None]] = _nothing


class Entrance:
    """Lets readers in, by ticket, or as the gatekeeper does."""

    def __init__(self, runtime: Runtime, gatekeeper: Gatekeeper) -> None:
        settings = runtime.settings
        secret = None if settings.secret is None else settings.secret.get_secret_value()
        self._gatekeeper = gatekeeper
        self.holds = gatekeeper.holds
        self.tickets = Tickets(runtime.engine, runtime.clock, secret, settings.ticket_seconds)

    async def of_stream(self, scope: Scope) -> Principal | None:
        """Who reads a stream. A ticket is good as long as it lives: browsers reconnect by it."""
        ticket = await self._ticket(scope)
        return await self._gatekeeper.admit(scope) if ticket is None else ticket.principal

    async def of_socket(self, scope: Scope) -> Entry:
        """Who opens a WebSocket. A ticket is good for one. `RefusedError`."""
        ticket = await self._ticket(scope)
        if ticket is not None:
            return Entry(ticket.principal, partial(self._use_up, ticket))
        principal = await self._gatekeeper.admit(scope, self._token(scope))
        if principal is None and header(scope, b"origin") is None:
            raise self._gatekeeper.refusal()  # no page, whose origin could be checked
        return Entry(principal)

    async def _ticket(self, scope: Scope) -> Ticket | None:
        text = query(scope).get("ticket")
        if text is None:
            return None
        try:
            ticket = await self.tickets.read(text)
            held = await self.holds(ticket.principal)
        except CredentialError as error:
            raise self._gatekeeper.refusal(str(error)) from None
        except EngineUnavailableError as error:
            raise unavailable(error) from None
        if not held:
            raise self._gatekeeper.refusal("the ticket's credential was taken back")
        return ticket

    async def _use_up(self, ticket: Ticket) -> None:
        try:
            await self.tickets.use_up(ticket)
        except CredentialError as error:
            raise self._gatekeeper.refusal(str(error)) from None
        except EngineUnavailableError as error:
            raise unavailable(error) from None

    def _token(self, scope: Scope) -> str | None:
        """The token among the offered subprotocols; one that is not to be read is refused."""
        offered = [
            name.removeprefix(TOKEN_SUBPROTOCOL)
            for name in scope.get("subprotocols", ())
            if name.startswith(TOKEN_SUBPROTOCOL)
        ]
        if not offered:
            return None
        if len(offered) > 1 or header(scope, b"authorization") is not None:
            raise self._gatekeeper.refusal("send one credential, not several")
        try:
            return _decoded(offered[0])
        except ValueError:
            raise self._gatekeeper.refusal("the subprotocol holds no token in base64url") from None


def _decoded(text: str) -> str:
    """Base64url without padding (RFC 4648, section 5). `ValueError`."""
    if len(text) > _TOKEN_CHARS_MAX or not text.isascii():
        raise ValueError(text[:1])
    raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    return raw.decode("ascii")

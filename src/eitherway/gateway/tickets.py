"""`POST /tickets`: a credential for a URL, for who has shown one in a header."""

from __future__ import annotations

from pydantic_core import to_json

from ..auth.tickets import Tickets
from .documents import rfc3339
from .gatekeeper import Gatekeeper
from .routes import Request
from .wire import Header, respond

_NO_STORE: list[Header] = [(b"cache-control", b"no-store")]


class TicketResource:
    """Gives out tickets."""

    def __init__(self, tickets: Tickets, gatekeeper: Gatekeeper) -> None:
        self._tickets = tickets
        self._gatekeeper = gatekeeper

    async def __call__(self, request: Request) -> None:
        """`POST /tickets`: `{"ticket", "expires"}`. There is none for nobody: 401."""
        await self._gatekeeper.identify(request)
        if request.principal is None:
            raise self._gatekeeper.refusal()
        ticket, expires = await self._tickets.issue(request.principal)
        body = to_json({"ticket": ticket, "expires": rfc3339(expires)})
        await respond(request.send, 200, body, headers=_NO_STORE)

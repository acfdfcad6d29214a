"""How long a connection may stay open: as long as the credential holds that it was opened with."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from ...auth import Principal
from ...clock import Clock, Timer

logger = logging.getLogger("eitherway.gateway")

HOLDS_SECONDS = 30.0
"""How often it is asked whether a credential was taken back."""

Holds = Callable[[Principal], Awaitable[bool]]


class Lifetime:
    """Calls `over` once the principal's credential has expired, or was taken back."""

    def __init__(
        self,
        clock: Clock,
        principal: Principal | None,
        holds: Holds | None,
        over: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._principal = principal
        self._holds = holds
        self._over = over
        self._timer: Timer | None = None
        self._asking: asyncio.Task[None] | None = None
        if principal is not None:
            self._look_later(principal)

    def cancel(self) -> None:
        """The connection has ended. Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
        if self._asking is not None:
            self._asking.cancel()
        self._principal = None

    def _look_later(self, principal: Principal) -> None:
        left = HOLDS_SECONDS
        if principal.expires is not None:
            left = min(left, principal.expires - self._clock.now())
        self._timer = self._clock.call_later(max(0.0, left), self._look)

    def _look(self) -> None:
        principal = self._principal
        if principal is None:
            return
        if principal.expires is not None and principal.expires <= self._clock.now():
            self._over()
        elif self._holds is None:
            self._look_later(principal)
        else:
            self._asking = asyncio.create_task(self._ask(principal, self._holds))

    async def _ask(self, principal: Principal, holds: Holds) -> None:
        try:
            held = await holds(principal)
        except Exception:  # an authenticator of the user's own, or a store that is away
            logger.exception("whether a credential still holds cannot be told")
            held = True  # it may be told the next time
        self._asking = None
        if self._principal is None:
            return
        if held:
            self._look_later(principal)
        else:
            self._over()

"""Who a request is from: asks the app's authenticators, and turns away whom none lets in."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ..auth import Anonymous, Authenticator, AuthUnavailableError, CredentialError, Principal
from ..errors import EngineUnavailableError
from ..problem import Problem
from .routes import Endpoint, Request
from .wire import Header, RefusedError, Scope

logger = logging.getLogger("eitherway.gateway")

_NO_STORE: Header = (b"cache-control", b"no-store")
_RETRY_AFTER_SECONDS = 1.0
_HOW = "show a credential, as WWW-Authenticate says"


class Gatekeeper:
    """Asks each authenticator in turn; the first that recognises somebody has the last word.

    A request without a credential is let in where `Anonymous` is among them. One whose
    `Authorization` nobody recognises is not: who has shown something is not taken for nobody.
    """

    def __init__(self, authenticators: Sequence[Authenticator]) -> None:
        self._authenticators = [one for one in authenticators if not isinstance(one, Anonymous)]
        self._lets_anybody_in = len(self._authenticators) < len(authenticators)
        self._challenges = list(dict.fromkeys(one.challenge for one in self._authenticators))
        self.credential_headers = frozenset(
            name.lower().encode("latin-1")
            for one in self._authenticators
            for name in one.credential_headers
        )
        own = self.credential_headers - {b"authorization"}
        # caches keep answers to `Authorization` apart by themselves (RFC 9111, section 3.5)
        self._vary: Header | None = (b"vary", b", ".join(sorted(own))) if own else None

    async def admit(self, scope: Scope, token: str | None = None) -> Principal | None:
        """Who it is; None for anybody. `token` stands for `Authorization: Bearer`.

        `RefusedError`: 401, or 503 where it cannot be told.
        """
        headers = _by_name(scope)
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        principal = await self._recognise(headers)
        if principal is None and "authorization" in headers:
            raise self.refusal("this credential is of no kind that is taken here")
        if principal is None and not self._lets_anybody_in:
            raise self.refusal()
        return principal

    async def identify(self, request: Request) -> None:
        """Say in the request who it is from. `RefusedError`."""
        if self._vary is not None:
            request.fields.append(self._vary)
        request.principal = await self.admit(request.scope)

    async def holds(self, principal: Principal) -> bool:
        """Whether the credential still holds that the principal was recognised by."""
        for authenticator in self._authenticators:
            if not await authenticator.holds(principal):
                return False
        return True

    def guard(self, endpoint: Endpoint) -> Endpoint:
        """The endpoint, for whom is let in."""

        async def guarded(request: Request) -> None:
            await self.identify(request)
            await endpoint(request)

        return guarded

    def refusal(self, reason: str | None = None) -> RefusedError:
        """A 401 with every challenge (RFC 9110, section 11.6.1); `reason` of a bad credential."""
        fields: list[Header] = [_NO_STORE]
        for challenge in self._challenges:
            bearer = challenge.lower().startswith("bearer")  # RFC 6750, section 3.1
            text = f'{challenge}, error="invalid_token"' if bearer and reason else challenge
            fields.append((b"www-authenticate", text.encode("latin-1")))
        return RefusedError(Problem.of("unauthorized", reason or _HOW), fields)

    async def _recognise(self, headers: dict[str, str]) -> Principal | None:
        try:
            for authenticator in self._authenticators:
                principal = await authenticator.authenticate(headers)
                if principal is not None:
                    return principal
        except CredentialError as error:
            raise self.refusal(str(error)) from None
        except (AuthUnavailableError, EngineUnavailableError) as error:
            raise unavailable(error) from None
        except Exception:  # an authenticator of the user's own
            logger.exception("a credential cannot be checked")
            raise RefusedError(Problem.of("internal-error"), [_NO_STORE]) from None
        return None


def unavailable(error: Exception) -> RefusedError:
    """The 503 for whom it cannot be told who they are. The log has the reason."""
    logger.warning("credentials cannot be checked: %s", error)
    problem = Problem.of(
        "authentication-unavailable",
        "nothing was done, send the request again",
        retry_after_seconds=_RETRY_AFTER_SECONDS,
    )
    return RefusedError(problem, [_NO_STORE])


def _by_name(scope: Scope) -> dict[str, str]:
    """Headers by lower-case name; what came several times is joined (RFC 9110, section 5.3)."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers

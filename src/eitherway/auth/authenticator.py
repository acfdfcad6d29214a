"""Who a request is from: what every authenticator is, and the one that asks for nothing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..clock import Clock
from ..engine.contract import Engine
from ..errors import EitherwayError

PRINCIPAL_CHARS_MAX = 255

_BEARER = "bearer "


@dataclass(frozen=True)
class Principal:
    """Somebody who has shown a credential. Their jobs are theirs alone, by this `id`.

    `expires` is when the credential does, in epoch seconds: open connections end with it.
    `credential` tells which one it was, and is no secret: `Authenticator.holds` is asked about it.
    """

    id: str
    expires: float | None = None
    credential: str | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.id) <= PRINCIPAL_CHARS_MAX or not self.id.isprintable():
            raise ValueError(f"a principal is 1 to {PRINCIPAL_CHARS_MAX} printable characters")


@dataclass(frozen=True)
class SecurityScheme:
    """How OpenAPI describes the credential: a name, and a Security Scheme Object."""

    name: str
    definition: Mapping[str, Any]


class CredentialError(EitherwayError):
    """The credential is none, or is none any more; the caller is told why (401)."""


class AuthUnavailableError(EitherwayError):
    """Credentials cannot be checked now; the caller is told to come back (503)."""


class Authenticator(ABC):
    """Recognises one kind of credential in a request's headers."""

    challenge: str = 'Bearer realm="eitherway"'
    """What `WWW-Authenticate` asks for (RFC 9110, section 11.6.1)."""

    scheme: SecurityScheme | None = SecurityScheme("bearer", {"type": "http", "scheme": "bearer"})
    """How OpenAPI describes it."""

    credential_headers: Sequence[str] = ("authorization",)
    """The headers it reads, in lower case: handlers do not see them, and no job stores them."""

    async def open(self, engine: Engine, clock: Clock) -> None:  # noqa: B027 - few have to
        """Be ready: called once, when the app has opened its engine."""

    async def close(self) -> None:  # noqa: B027 - few have to
        """Let go of everything: called before the engine is closed."""

    @abstractmethod
    async def authenticate(self, headers: Mapping[str, str]) -> Principal | None:
        """Who shows this credential; None where the headers hold none of this kind.

        Headers have lower-case names; those that came several times are joined by `, `.
        `CredentialError` for one of this kind that is bad, `AuthUnavailableError` where that cannot
        be told.
        """

    async def holds(self, principal: Principal) -> bool:  # noqa: ARG002 - expiry is looked at anyway
        """Whether the credential it was recognised by still does: False once it is taken back.

        Asked every half minute while a connection is open, and of each ticket. True for those of
        other kinds.
        """
        return True


class Anonymous(Authenticator):
    """Lets in who shows no credential: their jobs belong to whoever knows the id."""

    challenge = ""
    scheme = None
    credential_headers = ()

    async def authenticate(self, headers: Mapping[str, str]) -> None:
        """Nobody."""


def schemes_of(authenticators: Sequence[Authenticator]) -> dict[str, dict[str, Any]]:
    """Their schemes by name; an empty one, without a name, where anybody is let in."""
    described = [one.scheme for one in authenticators if one.scheme is not None]
    schemes = {scheme.name: dict(scheme.definition) for scheme in described}
    anybody = any(isinstance(one, Anonymous) for one in authenticators)
    return {**schemes, "": {}} if schemes and anybody else schemes


def bearer_token(headers: Mapping[str, str]) -> str | None:
    """What `Authorization: Bearer` holds (RFC 6750, section 2.1); None for another scheme."""
    value = headers.get("authorization", "")
    return value[len(_BEARER) :].strip() if value[: len(_BEARER)].lower() == _BEARER else None

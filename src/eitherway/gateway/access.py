"""Who may come in at `/admin`: the holder of a credential, or without one whoever is local."""

from __future__ import annotations

import hmac
from ipaddress import ip_address

from ..problem import Problem
from ..settings import Settings
from .routes import Request
from .wire import Header, RefusedError, Scope, header

_CHALLENGE: list[Header] = [(b"www-authenticate", b'Bearer realm="eitherway operators"')]
_HOW = "set EITHERWAY_ADMIN_TOKEN and send it as `Authorization: Bearer`"


class OperatorAccess:
    """Decides whether a request is an operator's.

    With a token: by the token alone. Without: only where the process listens on a loopback
    address, the request was meant for one, and no proxy has passed it on. A page of another
    origin in the operator's browser is not the operator.
    """

    def __init__(self, settings: Settings) -> None:
        token = settings.admin_token
        self._token = None if token is None else token.get_secret_value().strip().encode()
        self.listener: str | None = None  # the address this process is bound to; None: unknown

    def check(self, request: Request) -> None:
        """Return for an operator. `RefusedError`: 401 for a wrong credential, else 403."""
        if self._token is not None:
            if not hmac.compare_digest(_bearer(request.scope), self._token):
                detail = "send the operators' token as `Authorization: Bearer`"
                raise RefusedError(Problem.of("unauthorized", detail), _CHALLENGE)
        elif (reason := self._not_local(request.scope)) is not None:
            raise RefusedError(Problem.of("operators-only", f"{reason}: {_HOW}"))

    def _not_local(self, scope: Scope) -> str | None:
        if self.listener is None or not _is_loopback(self.listener):
            return "this gateway does not listen on a loopback address alone"
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 or not _is_loopback(_host_name(hosts[0])):
            return "the request was not sent to a loopback address"
        if any(_is_forwarded(name) for name, _ in scope["headers"]):
            return "the request was forwarded"
        origin = header(scope, b"origin")
        if origin is not None and origin.partition(b"://")[2] != hosts[0]:
            return "the request comes from a page of another origin"
        return None


def _bearer(scope: Scope) -> bytes:
    """The token that was sent; empty for none, or another scheme's."""
    scheme, _, token = (header(scope, b"authorization") or b"").partition(b" ")
    return token.strip() if scheme.lower() == b"bearer" else b""


def _is_forwarded(name: bytes) -> bool:
    return name == b"forwarded" or name.startswith(b"x-forwarded-")


def _host_name(host: bytes) -> str:
    """The `Host` header without its port, and without the brackets of an IPv6 address."""
    text = host.decode("latin-1").strip()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0]


def _is_loopback(name: str) -> bool:
    if name.lower() == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False

"""The header `Callback-URL`: who is told of the job's end, if the operation has callbacks."""

from __future__ import annotations

from ..callback.destination import Destination
from ..callback.listener import Listener
from ..callback.rules import Rules
from ..operation import Operation
from ..problem import Problem
from ..settings import Settings
from .routes import Request
from .wire import RefusedError, base_url

_NAME = b"callback-url"


class CallbackHeader:
    """Reads and checks it for one operation. `ConfigurationError` where settings are missing."""

    def __init__(self, settings: Settings, operation: Operation, jobs_path: str) -> None:
        self._jobs_path = jobs_path
        self._public_url = settings.public_url
        self._rules: Rules | None = None
        if operation.callbacks:
            self._rules = Rules(settings)
            self._allowed = self._rules.allow_list(operation.name, operation.callbacks)

    def of(self, request: Request) -> str | None:
        """What the job's record keeps of it; None without one. `RefusedError` (400, 422)."""
        first = request.first.get(_NAME)
        if first is None:
            return None
        if self._rules is None:
            detail = "send the request without a Callback-URL: nobody would be told"
            raise RefusedError(Problem.of("callback-unsupported", detail))
        if sum(name == _NAME for name, _ in request.scope["headers"]) > 1:
            raise _invalid("send one Callback-URL, not several")
        url = first.decode("latin-1").strip(" \t")
        try:
            destination = Destination.parse(url)
        except ValueError as error:
            raise _invalid(str(error)) from None
        refusal = self._rules.refusal(self._allowed, destination)
        if refusal is None and self._rules.leads_inside(destination):
            refusal = "callbacks do not go to this address"
        if refusal is not None:
            raise RefusedError(Problem.of("callback-not-allowed", refusal))
        jobs_url = base_url(request.scope, self._public_url) + self._jobs_path
        return Listener(url=url, jobs_url=jobs_url).encode()


def _invalid(detail: str) -> RefusedError:
    return RefusedError(Problem.of("callback-invalid", detail))

"""Plain requests: they ask for nothing that most requests do not ask for, and go past ASGI.

No preference, no key, no callback. Most requests are plain, and what ASGI takes for them (a scope,
a coroutine for each level) costs more than to decode, store and answer them. What is done is the
same, and done by the same functions; a request that turns out not to be plain is left as it came,
to be asked in full.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from time import perf_counter
from typing import Protocol
from urllib.parse import quote

from ..attempt.metrics import Histogram
from ..attempt.runtime import Runtime
from ..keys import Arguments
from ..lifespan import AsgiApp
from ..operation import Operation
from ..trace import Trace
from .routes import Endpoint
from .whole import Lines
from .wire import FORWARDED, Header, handler_headers, json_type, trace_of

Resuming = Callable[[Endpoint], AsgiApp]
"""An ASGI application that answers with this endpoint, whatever it is asked for."""

_SPECIAL = frozenset(b"callback-url content-encoding expect idempotency-key prefer upgrade".split())
"""Fields that say how a request is to be read, run or answered."""


_BODY_BYTES_MAX = 16_384
"""Arguments wait for their call's turn, decoded, with those of all others that came in this one."""


class Asking(Protocol):
    """A plain request, as a server has it: it has come whole, and nothing was answered."""

    headers: Sequence[Header]
    fields: Mapping[bytes, bytes]  # the same by name, of which each is there once
    body: bytes

    @property
    def scheme(self) -> str:
        """Of the connection."""

    def respond_whole(self, status: int, lines: Lines, body: bytes) -> bool:
        """Answer; False where messages have to do it."""

    def run(self, answering: Callable[..., Awaitable[None]]) -> None:
        """Have it answered in a task of its own, whatever that is called with."""

    def ask(self, app: AsgiApp) -> Awaitable[None]:
        """Have an ASGI application answer."""


class PlainDoor(ABC):
    """Takes an operation's plain requests."""

    def __init__(self, runtime: Runtime, operation: Operation, resuming: Resuming) -> None:
        self._runtime = runtime
        self._operation = operation
        self._resuming = resuming
        # who it came from is in its links, unless these begin with a URL that is given
        self.special = _SPECIAL if runtime.settings.public_url else _SPECIAL | FORWARDED
        self._takes_context = operation.binding.takes_context
        self._decode = operation.binding.decode
        self._counted = operation.keys.of
        settings, capabilities = runtime.settings, runtime.engine.capabilities
        most = min(settings.body_bytes_max, capabilities.payload_bytes_max)
        self._body_bytes_max = min(most, _BODY_BYTES_MAX)
        self._durations: dict[int, Histogram] = {}  # by status

    def take(self, asking: Asking) -> bool:
        """Do what is asked for, and answer once it is done; False: nothing was done."""
        started = perf_counter()
        is_json = json_type(asking.fields.get(b"content-type"))
        if not is_json or len(asking.body) > self._body_bytes_max:
            return False
        try:
            self._begin(asking, self._decode(asking.body, {}), started)
        except Exception:  # noqa: BLE001 - what is wrong is said where all is asked, and said
            return False
        return True

    @abstractmethod
    def _begin(self, asking: Asking, arguments: Arguments, started: float) -> None:
        """Do what is asked for. Where this raises, nothing was done."""

    def _headers(self, asking: Asking) -> Mapping[str, str]:
        """What the handler may see of them, if it looks."""
        return handler_headers(asking.headers) if self._takes_context else {}

    def _trace(self, asking: Asking) -> Trace | None:
        return trace_of(asking.headers) if b"traceparent" in asking.fields else None

    def _answered(self, status: int, started: float) -> None:
        """Count an answer."""
        durations = self._durations.get(status)
        if durations is None:
            method, path = self._operation.method or "", self._operation.path or ""
            durations = self._runtime.metrics.durations(method, path, status)
            self._durations[status] = durations
        durations.observe(perf_counter() - started)


PlainDoors = Mapping[tuple[bytes, bytes], PlainDoor]
"""By method and URL."""


def plain_url(operation: Operation) -> tuple[bytes, bytes] | None:
    """The method and the URL of an operation's plain requests; None where it has none."""
    method, path = operation.method, operation.path
    if (
        method is None
        or path is None
        or quote(path) != path
        or operation.delivery == "auto"
        or operation.backlog_max is not None
        or operation.idempotency_key == "required"
        or operation.binding.body is None
    ):
        return None
    return method.encode(), path.encode()

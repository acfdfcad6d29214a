"""`/livez` and `/readyz`: judged by their status alone, never cached, no authentication."""

from __future__ import annotations

from ..attempt.runtime import Runtime
from ..errors import EngineError
from ..problem import Problem
from .routes import Request
from .wire import Header, RefusedError, respond

_TURN_SECONDS_MAX = 60.0  # an idle worker turns every 20 s
_NO_STORE: list[Header] = [(b"cache-control", b"no-store")]


class Health:
    """Live: the process answers. Ready: it makes progress.

    The store answers, no drain has begun and, where a worker is in the process, its receive loop
    has turned within a minute.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.draining = False

    async def livez(self, request: Request) -> None:
        """`GET /livez`: 200 while the process runs."""
        await respond(request.send, 200, b'{"status":"live"}', headers=_NO_STORE, head=request.head)

    async def readyz(self, request: Request) -> None:
        """`GET /readyz`: 200; 503 while draining, without a store, or with a hung worker."""
        if self.draining:
            raise RefusedError(Problem.of("not-ready", "the process is draining"), _NO_STORE)
        turned = self._runtime.turned
        if turned is not None and self._runtime.clock.monotonic() - turned > _TURN_SECONDS_MAX:
            problem = Problem.of("not-ready", "the worker has not looked for jobs for a minute")
            raise RefusedError(problem, _NO_STORE)
        try:
            await self._runtime.engine.get(["readiness"])
        except EngineError:
            problem = Problem.of("not-ready", "the store does not answer")
            raise RefusedError(problem, _NO_STORE) from None
        await respond(
            request.send, 200, b'{"status":"ready"}', headers=_NO_STORE, head=request.head
        )

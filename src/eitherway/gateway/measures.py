"""`GET /metrics`, for Prometheus."""

from __future__ import annotations

from ..attempt.exposition import Exposition
from ..attempt.runtime import Runtime
from .routes import Request
from .wire import Header, header, respond

_NO_STORE: list[Header] = [(b"cache-control", b"no-store"), (b"vary", b"Accept")]


class Measures:
    """Shows a runtime's figures, and those of its store."""

    def __init__(self, runtime: Runtime) -> None:
        self._exposition = Exposition(runtime.metrics, runtime.engine, runtime.clock)

    async def metrics(self, request: Request) -> None:
        """`GET /metrics`: text, or OpenMetrics where `Accept` asks for it; no authentication."""
        accept = (header(request.scope, b"accept") or b"").decode("latin-1")
        body, media_type = await self._exposition.text(accept)
        await respond(
            request.send,
            200,
            body,
            media_type=media_type.encode(),
            headers=_NO_STORE,
            head=request.head,
        )

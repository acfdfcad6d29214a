"""`GET /metrics`, for Prometheus."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from ..attempt.runtime import Runtime
from .routes import Request
from .wire import Header, header, respond

if TYPE_CHECKING:
    from ..attempt.exposition import Exposition

_NO_STORE: list[Header] = [(b"cache-control", b"no-store"), (b"vary", b"Accept")]


class Measures:
    """Shows a runtime's figures, and those of its store."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    @cached_property
    def _exposition(self) -> Exposition:
        from ..attempt.exposition import Exposition  # noqa: PLC0415 - few processes are ever asked

        return Exposition(self._runtime.metrics, self._runtime.engine, self._runtime.clock)

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

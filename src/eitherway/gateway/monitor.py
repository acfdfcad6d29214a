"""What a worker process shows of itself: `/metrics`, `/livez`, `/readyz`, and nothing else."""

from __future__ import annotations

from ..attempt.runtime import Runtime
from ..errors import ConfigurationError
from .health import Health
from .measures import Measures
from .routes import Request, Routes
from .wire import Receive, RefusedError, Scope, Send, respond, respond_problem


class Monitor:
    """An ASGI application for those who watch a process."""

    def __init__(self, runtime: Runtime) -> None:
        self.health = Health(runtime)
        self._routes = Routes()
        self._routes.add("GET", "/livez", self.health.livez)
        self._routes.add("GET", "/readyz", self.health.readyz)
        self._routes.add("GET", "/metrics", Measures(runtime).metrics)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise ConfigurationError(f"no {scope['type']} is served here")
        request = Request(scope, receive, send)
        try:
            await self._routes.find(request)(request)
        except RefusedError as refusal:
            if refusal.problem.status == 204:
                await respond(send, 204, b"", headers=refusal.headers)
            else:
                await respond_problem(send, refusal.problem, refusal.headers, head=request.head)

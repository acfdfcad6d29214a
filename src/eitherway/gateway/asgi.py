"""The gateway's ASGI application: finds the door, and turns every refusal into a problem."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Sequence
from typing import Any

from ..attempt.promotion import Promoted
from ..attempt.runtime import Runtime
from ..auth import Anonymous, Authenticator
from ..errors import BacklogFullError, ConfigurationError, EngineError, EngineUnavailableError
from ..lifespan import AsgiApp
from ..operation import Operation
from ..problem import Problem
from .admin import Admin
from .browser_module import show_module
from .describing import Describing
from .description.description import Description
from .gatekeeper import Gatekeeper
from .health import Health
from .jobs import JobResource
from .layers import Layer, around
from .measures import Measures
from .mounts import Mount
from .observe import Observer
from .operations import OperationDoor
from .parts import Parts, parts_of
from .plain import PlainDoor, plain_url
from .plain_accepts import PlainAccepts
from .plain_calls import PlainCalls
from .problem_pages import show_problem
from .push.doors import Push
from .redaction import redact_tickets
from .routes import Endpoint, Request, Routes
from .tickets import TicketResource
from .whole import Answering
from .wire import (
    ClientGoneError,
    Receive,
    RefusedError,
    Scope,
    Send,
    path_within,
    respond,
    respond_problem,
    trace_of,
)

logger = logging.getLogger("eitherway.gateway")


class Gateway:
    """Serves a runtime's operations, its jobs and its health."""

    def __init__(
        self,
        runtime: Runtime,
        description: Description,
        authenticators: Sequence[Authenticator] = (),
    ) -> None:
        prefix = runtime.settings.prefix.rstrip("/")
        self._runtime = runtime
        self._authenticators = authenticators
        self._routes = Routes()
        self.plain_doors: dict[tuple[bytes, bytes], PlainDoor] = {}  # by method and URL
        self._served = parts_of(runtime.settings.serve)
        self.health = Health(runtime)
        named = any(not isinstance(one, Anonymous) for one in authenticators)
        gatekeeper = Gatekeeper(authenticators) if named else None
        self.push = Push(runtime, prefix, gatekeeper)
        self._observer = Observer(runtime)
        self._metrics = runtime.metrics
        self._spans = runtime.spans
        self._unseen = {f"{prefix}{path}" for path in ("/livez", "/readyz", "/metrics")}
        parts = Parts(self._routes, prefix, self._served, gatekeeper)
        parts.health(
            {
                "/livez": self.health.livez,
                "/readyz": self.health.readyz,
                "/metrics": Measures(runtime).metrics,
            }
        )
        parts.module(show_module)
        parts.status(JobResource(runtime, f"{prefix}/jobs"))
        parts.push(self.push)
        if gatekeeper is not None and self.push.entrance is not None:
            parts.tickets(TicketResource(self.push.entrance.tickets, gatekeeper))
            redact_tickets()
        self.admin = Admin(runtime, prefix)
        parts.admin(self.admin)
        parts.description(Describing(description, runtime.settings.public_url))
        self.promoted = Promoted(runtime)
        for operation in runtime.operations:
            door = OperationDoor(runtime, operation, f"{prefix}/jobs", self.promoted, gatekeeper)
            parts.operation(operation, door)
            if gatekeeper is None:
                self._add_plain(operation, f"{prefix}/jobs", door)
        parts.problems(show_problem)

    def _add_plain(self, operation: Operation, jobs_path: str, door: OperationDoor) -> None:
        """Let a server of ours pass plain requests by, where nobody has to see each."""
        runtime, url = self._runtime, plain_url(operation)
        is_seen = runtime.settings.access_log or runtime.spans.exports
        if url is None or is_seen or "operations" not in self._served:
            return
        if operation.delivery == "queued":
            self.plain_doors[url] = PlainAccepts(runtime, operation, self._resuming, jobs_path)
        else:
            self.plain_doors[url] = PlainCalls(runtime, operation, self._resuming, door.reply)

    def _resuming(self, endpoint: Endpoint) -> AsgiApp:
        """Answers with this endpoint a request that had another door."""

        def answer(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
            answering = Answering(send)
            request = Request(scope, receive, answering, answering.fields)
            self._routes.find(request)
            return self._answer(request, answering, endpoint)

        return answer

    async def open(self) -> None:
        """Open the authenticators, on the engine that is open."""
        for authenticator in self._authenticators:
            await authenticator.open(self._runtime.engine, self._runtime.clock)

    async def close(self) -> None:
        """Let the authenticators go."""
        for authenticator in self._authenticators:
            await authenticator.close()

    def mount(self, prefix: str, app: AsgiApp) -> dict[str, Any]:
        """Give an application what is under its prefix and nothing else here answers.

        Returned is the state that its lifespan fills for its requests.
        """
        mount = Mount(prefix, app)
        self._routes.mounts.add(mount)
        return mount.state

    def within(self, layers: Sequence[Layer]) -> AsgiApp:
        """This gateway within middleware, the last one outermost."""
        return around(self, layers, self._runtime.settings)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer one request."""
        if scope["type"] == "websocket":
            return self._websocket(scope, receive, send)
        if scope["type"] != "http":
            raise ConfigurationError(f"no {scope['type']} is served here")
        answering = Answering(send)
        request = Request(scope, receive, answering, answering.fields)
        if self._spans.exports and path_within(scope) not in self._unseen:
            return self._answer_within_span(request, answering)
        return self._answer(request, answering)

    async def _answer_within_span(self, request: Request, answering: Answering) -> None:
        serving = self._spans.serving(request.scope, trace_of(request.scope["headers"]))
        with serving:
            request.span = serving.span
            try:
                await self._answer(request, answering)
            finally:
                serving.answered(request.route, answering.status)

    async def _answer(
        self, request: Request, answering: Answering, endpoint: Endpoint | None = None
    ) -> None:
        scope = request.scope
        try:
            await (endpoint or self._routes.find(request))(request)
        except RefusedError as refusal:
            await self._refuse(request, refusal)
        except BacklogFullError as error:
            problem = Problem.of(
                "backlog-full", str(error), retry_after_seconds=error.retry_after_seconds
            )
            await self._refuse(request, RefusedError(problem))
        except EngineUnavailableError as error:
            logger.warning("%s %s: %s", scope["method"], scope["path"], error)
            problem = Problem.of(
                "engine-unavailable", "nothing was stored, send it again", retry_after_seconds=1
            )
            self._metrics.refuse(problem.name)
            await respond_problem(request.send, problem, head=request.head)
        except EngineError:
            logger.exception("%s %s", scope["method"], scope["path"])
            await respond_problem(request.send, Problem.of("internal-error"), head=request.head)
        except ClientGoneError:
            return
        finally:
            self._observer.ended(request, answering)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = path_within(scope)
        mount = self._routes.mounts.find(path) if path != self.push.path else None
        if mount is not None:
            await mount.answer(scope, receive, send)
        elif "push" in self._served:
            await self.push.websocket(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})  # a 403 on the wire

    async def _refuse(self, request: Request, refusal: RefusedError) -> None:
        if refusal.problem.status == 204:
            await respond(request.send, 204, b"", headers=refusal.headers)
        else:
            self._metrics.refuse(refusal.problem.name)
            await respond_problem(request.send, refusal.problem, refusal.headers, head=request.head)

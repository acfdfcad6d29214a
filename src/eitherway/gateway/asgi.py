"""The gateway's ASGI application: finds the door, and turns every refusal into a problem."""

from __future__ import annotations

import logging

from ..attempt.promotion import Promoted
from ..attempt.runtime import Runtime
from ..errors import ConfigurationError, EngineError, EngineUnavailableError
from ..problem import Problem
from .admin import Admin
from .health import Health
from .jobs import JobResource
from .measures import Measures
from .mounts import Mount
from .observe import Answering, Observer
from .operations import OperationDoor
from .parts import Parts, parts_of
from .problem_pages import show_problem
from .push.doors import Push
from .routes import Request, Routes
from .wire import (
    ClientGoneError,
    Receive,
    RefusedError,
    Scope,
    Send,
    path_within,
    respond,
    respond_problem,
)

logger = logging.getLogger("eitherway.gateway")


class Gateway:
    """Serves a runtime's operations, its jobs and its health."""

    def __init__(self, runtime: Runtime) -> None:
        prefix = runtime.settings.prefix.rstrip("/")
        self._routes = Routes()
        self._served = parts_of(runtime.settings.serve)
        self.health = Health(runtime)
        self.push = Push(runtime, prefix)
        self._observer = Observer(runtime)
        self._metrics = runtime.metrics
        parts = Parts(self._routes, prefix, self._served)
        parts.health(
            {
                "/livez": self.health.livez,
                "/readyz": self.health.readyz,
                "/metrics": Measures(runtime).metrics,
            }
        )
        parts.status(JobResource(runtime, f"{prefix}/jobs"))
        parts.push(self.push)
        self.admin = Admin(runtime, prefix)
        parts.admin(self.admin)
        self.promoted = Promoted(runtime)
        for operation in runtime.operations:
            door = OperationDoor(runtime, operation, f"{prefix}/jobs", self.promoted)
            parts.operation(operation, door)
        parts.problems(show_problem)

    def mount(self, mount: Mount) -> None:
        """Give an application what is under its prefix and nothing else here answers."""
        self._routes.mounts.add(mount)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
            return
        if scope["type"] != "http":
            raise ConfigurationError(f"no {scope['type']} is served here")
        answering = Answering(send)
        request = Request(scope, receive, answering)
        try:
            await self._routes.find(request)(request)
        except RefusedError as refusal:
            await self._refuse(request, refusal)
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

"""The gateway's ASGI application: finds the door, and turns every refusal into a problem."""

from __future__ import annotations

import logging

from ..attempt.runtime import Runtime
from ..errors import ConfigurationError, EngineError, EngineUnavailableError
from ..problem import Problem
from .health import Health
from .jobs import JobResource
from .operations import OperationDoor
from .routes import Request, Routes
from .wire import ClientGoneError, Receive, RefusedError, Scope, Send, respond, respond_problem

logger = logging.getLogger("eitherway.gateway")


class Gateway:
    """Serves a runtime's operations, its jobs and its health."""

    def __init__(self, runtime: Runtime) -> None:
        prefix = runtime.settings.prefix.rstrip("/")
        self._routes = Routes()
        self.health = Health(runtime)
        jobs = JobResource(runtime, f"{prefix}/jobs")
        own = {
            "/jobs/{id}": jobs.show,
            "/jobs/{id}/result": jobs.result,
            "/livez": self.health.livez,
            "/readyz": self.health.readyz,
        }
        for operation in runtime.operations:
            if operation.path is None or operation.method is None:
                continue
            if any(_shadows(operation.path, prefix + path) for path in own):
                raise ConfigurationError(
                    f"{operation.name}: {operation.path} is a path of the gateway itself: choose "
                    "another, or move the gateway's with EITHERWAY_PREFIX"
                )
            door = OperationDoor(runtime, operation, f"{prefix}/jobs")
            self._routes.add(operation.method, operation.path, door)
        for path, endpoint in own.items():
            self._routes.add("GET", prefix + path, endpoint)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise ConfigurationError(f"no {scope['type']} is served here")
        request = Request(scope, receive, send)
        try:
            await self._routes.find(request)(request)
        except RefusedError as refusal:
            await self._refuse(request, refusal)
        except EngineUnavailableError as error:
            logger.warning("%s %s: %s", scope["method"], scope["path"], error)
            problem = Problem.of(
                "engine-unavailable", "nothing was stored, send it again", retry_after_seconds=1
            )
            await respond_problem(send, problem, head=request.head)
        except EngineError:
            logger.exception("%s %s", scope["method"], scope["path"])
            await respond_problem(send, Problem.of("internal-error"), head=request.head)
        except ClientGoneError:
            return

    async def _refuse(self, request: Request, refusal: RefusedError) -> None:
        if refusal.problem.status == 204:
            await respond(request.send, 204, b"", headers=refusal.headers)
        else:
            await respond_problem(request.send, refusal.problem, refusal.headers, head=request.head)


def _shadows(path: str, own: str) -> bool:
    """Whether a user's path would answer in place of the gateway's own."""
    jobs = own.split("{", 1)[0]
    return path == own or ("{" in own and path.startswith(jobs))

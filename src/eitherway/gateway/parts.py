"""What one gateway process serves: everything, or a part of it as a microservice of its own."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import ConfigurationError
from ..operation import Operation
from .admin import Admin
from .describing import Describing
from .gatekeeper import Gatekeeper
from .jobs import JobResource
from .operations import OperationDoor
from .push.doors import Push
from .routes import Endpoint, Routes
from .tickets import TicketResource

PARTS = ("operations", "status", "push", "admin")


def parts_of(serve: str) -> frozenset[str]:
    """The parts that a setting names. `ConfigurationError` for one that is none."""
    parts = frozenset(part.strip() for part in serve.split(","))
    unknown = parts - set(PARTS)
    if unknown:
        raise ConfigurationError(
            f"--serve {serve!r}: {min(unknown)!r} is no part, give some of {', '.join(PARTS)}"
        )
    return parts


class Parts:
    """Adds the endpoints of the parts that are served to `routes`."""

    def __init__(
        self,
        routes: Routes,
        prefix: str,
        served: frozenset[str],
        gatekeeper: Gatekeeper | None = None,
    ) -> None:
        self._guard = _unguarded if gatekeeper is None else gatekeeper.guard
        self._routes = routes
        self._prefix = prefix
        self._served = served
        self._own: list[str] = []

    def module(self, module: Endpoint) -> None:
        """The client for pages, whichever part they use."""
        self._add_own({"/eitherway.js": module})

    def health(self, endpoints: Mapping[str, Endpoint]) -> None:
        """What every process answers."""
        self._add_own(endpoints)

    def status(self, jobs: JobResource) -> None:
        """The job resource."""
        guard = self._guard
        endpoints = {"/jobs/{id}": guard(jobs.show), "/jobs/{id}/result": guard(jobs.result)}
        self._add_own(endpoints, part="status")
        if "status" in self._served:
            self._routes.add("DELETE", f"{self._prefix}/jobs/{{id}}", guard(jobs.delete))

    def push(self, push: Push) -> None:
        """Event streams over HTTP; the WebSocket is the gateway's to hand over."""
        self._add_own(push.endpoints, part="push")

    def tickets(self, tickets: TicketResource) -> None:
        """Credentials for the URLs of push."""
        path = f"{self._prefix}/tickets"
        self._own.append(path)
        if "push" in self._served:
            self._routes.add("POST", path, tickets)

    def description(self, describing: Describing) -> None:
        """What the app looks like, where its operations are served."""
        self._add_own(describing.endpoints, part="operations")

    def admin(self, admin: Admin) -> None:
        """What operators may do."""
        for method, path, endpoint in admin.routes():
            self._own.append(path)
            if "admin" in self._served:
                self._routes.add(method, path, endpoint)

    def operation(self, operation: Operation, door: OperationDoor) -> None:
        """A user's operation. `ConfigurationError` where its path is the gateway's own."""
        if operation.path is None or operation.method is None:
            return
        if any(_shadows(operation.path, path) for path in self._own):
            raise ConfigurationError(
                f"{operation.name}: {operation.path} is a path of the gateway itself: choose "
                "another, or move the gateway's with EITHERWAY_PREFIX"
            )
        if "operations" in self._served:
            self._routes.add(operation.method, operation.path, door)

    def problems(self, page: Endpoint) -> None:
        """What `type` says of a problem. Not under the prefix, and after the user's own paths."""
        self._routes.add("GET", "/problems/{name}", page)

    def _add_own(self, endpoints: Mapping[str, Endpoint], part: str | None = None) -> None:
        for path, endpoint in endpoints.items():
            self._own.append(self._prefix + path)
            if part is None or part in self._served:
                self._routes.add("GET", self._prefix + path, endpoint)


def _unguarded(endpoint: Endpoint) -> Endpoint:
    return endpoint


def _shadows(path: str, own: str) -> bool:
    """Whether a user's path would answer in place of the gateway's own."""
    return path == own or ("{" in own and path.startswith(own.split("{", 1)[0]))

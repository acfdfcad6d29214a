"""Who may connect: as many as the process is to hold, following as many jobs as allowed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ...attempt.runtime import Runtime
from ...auth import Principal
from ...cors import origins_of
from ...problem import Problem
from ..wire import RefusedError, Scope, base_url

_RETRY_AFTER_SECONDS = 1.0


class Admission:
    """Counts the connections of this process; refuses what is too much."""

    def __init__(self, runtime: Runtime) -> None:
        self._hub = runtime.hub
        self._settings = runtime.settings
        self.connections = 0

    @contextmanager
    def connection(self) -> Iterator[None]:
        """Hold a place for a connection. `RefusedError` (503) where there is none."""
        if self._hub.released or self.connections >= self._settings.connections_max:
            raise RefusedError(
                Problem.of(
                    "too-many-connections",
                    "another gateway, or this one a little later, may have a place",
                    retry_after_seconds=_RETRY_AFTER_SECONDS,
                )
            )
        self.connections += 1
        try:
            yield
        finally:
            self.connections -= 1

    def check_jobs(self, count: int) -> None:
        """`RefusedError` (400) when a connection would follow too many jobs."""
        most = self._settings.subscriptions_max
        if count > most:
            raise RefusedError(
                Problem.of("invalid-subscription", f"a connection follows at most {most} jobs")
            )

    def check_origin(self, scope: Scope, origin: bytes | None) -> None:
        """`RefusedError` (403) for a page of an origin that is not allowed (RFC 6455, 10.2)."""
        if origin is None:  # no browser; what protects a job is its id, or whose it is
            return
        allowed = origins_of(self._settings.allowed_origins)
        if not allowed:
            base = base_url(scope, self._settings.public_url)
            allowed = ["/".join(base.split("/", 3)[:3])]
            allowed += origins_of(self._settings.cors_origins)  # where `*` is nobody's
        if origin.decode("latin-1").lower() not in (one.lower() for one in allowed):
            raise RefusedError(Problem.of("origin-refused", "pages of this origin may not connect"))


def check_owned(runtime: Runtime, principal: Principal | None) -> None:
    """`RefusedError` (400) where nobody's jobs can be followed: the request has to name some."""
    if principal is None:
        detail = "name the jobs: /events?jobs=ID,ID"
        raise RefusedError(Problem.of("invalid-subscription", detail))
    if not runtime.engine.capabilities.events_by_owner:
        detail = "this engine cannot tell whose an event is: name the jobs, /events?jobs=ID,ID"
        raise RefusedError(Problem.of("invalid-subscription", detail))


def jobs_of(parameters: dict[str, str]) -> list[str]:
    """The job ids in `?jobs=a,b`, each once."""
    named = (name.strip() for name in parameters.get("jobs", "").split(","))
    return list(dict.fromkeys(name for name in named if name))

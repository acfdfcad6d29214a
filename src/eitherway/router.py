"""`Router`: collects operations, by decorators."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, TypedDict, TypeVar, Unpack

from .callback.rules import Callbacks
from .errors import ConfigurationError
from .operation import Operation, Upgrade, default_limit
from .policy import Accept, Delivery, IdempotencyKey, Limit, Retry
from .registry import Operations

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


class Policies(TypedDict, total=False):
    """What a decorator takes beside the path; defaults are those of `Operation`."""

    name: str
    delivery: Delivery
    retry: Retry
    limit: Limit | Sequence[Limit]
    timeout_seconds: float
    deadline_seconds: float
    lease_seconds: float
    backlog_max: int
    wait_seconds: float
    status: int
    version: int
    group: Callable[..., Any]
    batch_max: int
    batch_wait_seconds: float
    idempotency_key: IdempotencyKey
    upgrade: Upgrade
    callbacks: Callbacks
    accept: Accept


class Router:
    """Collects operations; an `App` is one, and `App.include` takes in others."""

    def __init__(self) -> None:
        self._operations = Operations()

    @property
    def operations(self) -> Operations:
        """The operations declared so far."""
        return self._operations

    def get(self, path: str, **policies: Unpack[Policies]) -> Callable[[F], F]:
        """Serve the handler at GET (and HEAD) `path`."""
        return self._declare("GET", path, policies)

    def post(self, path: str, **policies: Unpack[Policies]) -> Callable[[F], F]:
        """Serve the handler at POST `path`."""
        return self._declare("POST", path, policies)

    def put(self, path: str, **policies: Unpack[Policies]) -> Callable[[F], F]:
        """Serve the handler at PUT `path`."""
        return self._declare("PUT", path, policies)

    def patch(self, path: str, **policies: Unpack[Policies]) -> Callable[[F], F]:
        """Serve the handler at PATCH `path`."""
        return self._declare("PATCH", path, policies)

    def delete(self, path: str, **policies: Unpack[Policies]) -> Callable[[F], F]:
        """Serve the handler at DELETE `path`."""
        return self._declare("DELETE", path, policies)

    def operation(self, **policies: Unpack[Policies]) -> Callable[[F], F]:
        """Make the handler an operation without a route: enqueued from Python alone."""
        return self._declare(None, None, policies)

    def include(self, router: Router, prefix: str = "") -> None:
        """Take in the operations of another router, their paths behind `prefix`."""
        if not isinstance(router, Router):
            raise ConfigurationError(f"include takes a Router, not {router!r}")
        for operation in router.operations:
            settings = {f.name: getattr(operation, f.name) for f in fields(Operation) if f.init}
            if operation.path is not None:
                settings["path"] = prefix + operation.path
            self._operations.add(Operation(**settings))

    def _declare(
        self, method: str | None, path: str | None, policies: Policies
    ) -> Callable[[F], F]:
        if path is not None and not isinstance(path, str):
            raise ConfigurationError(
                f'@app.{method.lower()} takes a path: write @app.{method.lower()}("/orders")'
            )
        settings: dict[str, Any] = dict(policies)
        unknown = settings.keys() - Policies.__annotations__.keys()
        if unknown:
            known = ", ".join(sorted(Policies.__annotations__))
            raise ConfigurationError(f"no setting {min(unknown)!r} for an operation: give {known}")
        limit = settings.pop("limit", None)
        if limit is None:
            limit = default_limit(settings.get("batch_max"))
        limits = tuple(limit) if isinstance(limit, (list, tuple)) else (limit,)

        def declare(handler: F) -> F:
            name = settings.get("name") or getattr(handler, "__name__", repr(handler))
            self._operations.add(
                Operation(
                    **{**settings, "name": name},
                    handler=handler,
                    method=method,
                    path=path,
                    limits=limits,
                )
            )
            return handler

        return declare

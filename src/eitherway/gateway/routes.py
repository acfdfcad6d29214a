"""From method and path to an endpoint: a dictionary for plain paths, patterns for the others."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from re import Pattern
from typing import Any

from starlette.convertors import Convertor
from starlette.routing import compile_path

from ..auth import Principal
from ..errors import ConfigurationError
from ..problem import Problem
from ..trace import Span
from .mounts import Mount, Mounts
from .wire import (
    Header,
    Receive,
    ReceiveWhole,
    RefusedError,
    Scope,
    Send,
    allow,
    path_within,
    read_body,
)


@dataclass(slots=True)
class Request:
    """One HTTP request on its way to an endpoint."""

    scope: Scope
    receive: Receive
    send: Send
    fields: list[Header] = field(default_factory=list)  # of whatever it is answered
    params: dict[str, Any] = field(default_factory=dict)  # of the path
    head: bool = False  # the answer goes without its body
    route: str = ""  # the path as it was declared; empty where nothing was found
    operation: str | None = None
    job_id: str | None = None
    principal: Principal | None = None  # who it is from; None: anybody
    span: Span | None = None  # of the request where it is exported, else of its call or job
    first: dict[bytes, bytes] = field(init=False)  # of the headers of each lower-case name

    def __post_init__(self) -> None:
        fields = self.scope["headers"]
        self.first = dict(fields)
        if len(self.first) < len(fields):
            self.first = dict([*fields][::-1])

    def body(self, bytes_max: int) -> Awaitable[bytes]:
        """The whole body. `RefusedError` (413) where it is larger."""
        return read_body(self.receive, self.first.get(b"content-length"), bytes_max)

    def body_at_hand(self, bytes_max: int) -> bytes | None:
        """The same, where the server has all of it and gives it at once; None: ask for `body`."""
        server = getattr(self.receive, "__self__", None)
        receive_whole: ReceiveWhole | None = getattr(server, "receive_whole", None)
        return None if receive_whole is None else receive_whole(bytes_max)

    @property
    def owner(self) -> str | None:
        """Whose jobs it may see, beside those of nobody in particular."""
        return None if self.principal is None else self.principal.id


Endpoint = Callable[[Request], Awaitable[None]]
_NONE: dict[str, Endpoint] = {}
_PARAMETER = re.compile(r"{[^}]*}")


@dataclass(frozen=True)
class _Pattern:
    regex: Pattern[str]
    convertors: dict[str, Convertor[Any]]
    path: str
    endpoints: dict[str, Endpoint]


class Routes:
    """Endpoints by method and path, in the path syntax of Starlette."""

    def __init__(self) -> None:
        self._plain: dict[str, dict[str, Endpoint]] = {}
        self._patterns: dict[str, _Pattern] = {}
        self.mounts = Mounts()  # get what has no endpoint of its own

    def add(self, method: str, path: str, endpoint: Endpoint) -> None:
        """Serve `method path` with `endpoint`; GET serves HEAD too."""
        if "{" not in path:
            endpoints = self._plain.setdefault(path, {})
        else:
            try:
                regex, _, convertors = compile_path(path)
            except (AssertionError, ValueError) as error:
                raise ConfigurationError(f"the path {path!r}: {error}") from None
            pattern = self._patterns.setdefault(
                regex.pattern, _Pattern(regex, convertors, path, {})
            )
            endpoints = pattern.endpoints
        endpoints[method] = endpoint

    def find(self, request: Request) -> Endpoint:
        """The endpoint, with the path's parameters put into the request. `RefusedError`."""
        scope = request.scope
        method, path = scope["method"], path_within(scope)
        plain = self._plain.get(path, _NONE)
        if method in plain:
            request.route = path
            return plain[method]
        if (endpoint := self._match(method, path, request)) is not None:
            return endpoint
        if method == "HEAD":
            request.head = True
            if "GET" in plain:
                request.route = path
                return plain["GET"]
            if (endpoint := self._match("GET", path, request)) is not None:
                return endpoint
        self._refuse_method(method, path, request)
        if (mount := self.mounts.find(path)) is not None:
            return _mounted(mount)
        raise RefusedError(Problem.of("not-found", f"nothing is at {path}"))

    def _match(self, method: str, path: str, request: Request) -> Endpoint | None:
        for pattern in self._patterns.values():
            if method in pattern.endpoints and (match := pattern.regex.match(path)):
                request.params = {
                    name: pattern.convertors[name].convert(value)
                    for name, value in match.groupdict().items()
                }
                request.route = pattern.path
                return pattern.endpoints[method]
        return None

    def _refuse_method(self, method: str, path: str, request: Request) -> None:
        """Raise where the path is served, by other methods.

        OPTIONS tells of the path as OpenAPI sees it: as it was declared, whatever else matches it.
        """
        matching = [p for p in self._patterns.values() if p.regex.match(path)]
        served = dict(self._plain.get(path, _NONE))
        if method == "OPTIONS":
            shape = None if served or not matching else _shape(matching[0].path)
            matching = [pattern for pattern in matching if _shape(pattern.path) == shape]
        for pattern in matching:
            served.update(pattern.endpoints)
        if served:
            request.route = path if path in self._plain else matching[0].path
            raise _not_allowed(method, served)


def _mounted(mount: Mount) -> Endpoint:
    async def endpoint(request: Request) -> None:
        request.head = request.scope["method"] == "HEAD"
        request.route = mount.prefix
        await mount.answer(request.scope, request.receive, request.send)

    return endpoint


def _shape(path: str) -> str:
    """The path without its parameters' names, which say nothing about what it matches."""
    return _PARAMETER.sub("{}", path)


def _not_allowed(method: str, endpoints: dict[str, Endpoint]) -> RefusedError:
    methods = {*endpoints, "OPTIONS"} | ({"HEAD"} if "GET" in endpoints else set())
    if method == "OPTIONS":
        problem = Problem.of("method-not-allowed", status=204)  # an answer: `Allow` alone
    else:
        problem = Problem.of("method-not-allowed", f"{method} is not served here")
    return RefusedError(problem, [allow(dict.fromkeys(methods))])

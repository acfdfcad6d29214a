"""Paths, as Starlette writes them, as a tree of API Gateway's resources."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ..errors import ConfigurationError

_PLAIN = re.compile(r"[A-Za-z0-9._:-]+")
_PARAMETER = re.compile(r"{(\w+)(?::(\w+))?}")
PARAMETER, GREEDY = "{}", "{+}"
_TAKES = {PARAMETER: "one part of it", GREEDY: "all the rest of it"}

_OWN = [
    ("GET", "/jobs/{id}"),
    ("DELETE", "/jobs/{id}"),
    ("GET", "/jobs/{id}/result"),
    ("GET", "/jobs/{id}/events"),
    ("GET", "/events"),
    ("GET", "/livez"),
    ("GET", "/readyz"),
    ("GET", "/openapi.json"),
    ("GET", "/asyncapi.json"),
    ("GET", "/docs"),
    ("GET", "/docs/{file}"),
    ("GET", "/eitherway.js"),
]


class Route(NamedTuple):
    """A method of a path, and whose it is: an operation's, or eitherway's own."""

    owner: str
    method: str
    path: str


class Part(NamedTuple):
    """One part of a path: plain text, or a parameter, which may take all that follows."""

    text: str
    parameter: str | None = None
    greedy: bool = False

    @property
    def shape(self) -> str:
        """What it matches, whatever its parameter is called."""
        return self.text if self.parameter is None else GREEDY if self.greedy else PARAMETER


def parts(path: str) -> Iterator[Part]:
    """The parts of a path. `ValueError` with the part that API Gateway cannot have."""
    for text in path.strip("/").split("/") if path.strip("/") else []:
        if (found := _PARAMETER.fullmatch(text)) is not None:
            name, kind = found.groups()
            greedy = kind == "path"
            yield Part(f"{{{name}{'+' if greedy else ''}}}", name, greedy)
        elif _PLAIN.fullmatch(text):
            yield Part(text)
        else:
            raise ValueError(text)


def own_routes(prefix: str, *, has_callers: bool) -> Iterator[Route]:
    """What tells of jobs and of the app, below the prefix, and of problems."""
    for method, path in _OWN:
        yield Route("eitherway", method, prefix + path)
    if has_callers:
        yield Route("eitherway", "POST", f"{prefix}/tickets")
    yield Route("eitherway", "GET", "/problems/{name}")


def check_routes(routes: Iterable[Route]) -> None:
    """`ConfigurationError` where API Gateway cannot have these beside one another.

    To it any parameter is the same, whatever its name and its type.
    """
    owners: dict[tuple[str, tuple[str, ...]], str] = {}
    kinds: dict[tuple[str, ...], tuple[str, str]] = {}
    for route in routes:
        check_path(route.owner, route.path)
        shape = tuple(part.shape for part in parts(route.path))
        first = owners.setdefault((route.method, shape), route.owner)
        if first != route.owner:
            raise ConfigurationError(
                f"{route.owner}: to API Gateway {route.method} {route.path} is a route of {first}, "
                "whatever its parameters are called: give another path"
            )
        for place, part in enumerate(shape):
            if part not in (PARAMETER, GREEDY):
                continue
            kind, first = kinds.setdefault(shape[:place], (part, route.owner))
            if kind != part:
                raise ConfigurationError(
                    f"{route.owner}: API Gateway has one kind of parameter at a place, and at that "
                    f"of {route.path} {first} has one that takes {_TAKES[kind]}: give another path"
                )


def check_path(owner: str, path: str) -> None:
    """`ConfigurationError` where API Gateway cannot serve the path."""
    try:
        found = list(parts(path))
    except ValueError as error:
        raise ConfigurationError(
            f"{owner}: API Gateway has no path with the part {str(error)!r}: letters, digits, "
            "'.', '_', '-' and ':', or one whole {parameter}"
        ) from None
    if any(part.greedy for part in found[:-1]):
        raise ConfigurationError(
            f"{owner}: in API Gateway a parameter that takes a whole path is the last part"
        )
    if path != "/" and path.endswith("/"):
        raise ConfigurationError(
            f"{owner}: API Gateway drops the '/' at the end of {path!r}: leave it out"
        )

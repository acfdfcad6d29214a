"""Paths, as Starlette writes them, as a tree of API Gateway's resources."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from ..errors import ConfigurationError

_PLAIN = re.compile(r"[A-Za-z0-9._:-]+")
_PARAMETER = re.compile(r"{(\w+)(?::(\w+))?}")


class Part(NamedTuple):
    """One part of a path: plain text, or a parameter, which may take all that follows."""

    text: str
    parameter: str | None = None
    greedy: bool = False

    @property
    def shape(self) -> str:
        """What it matches, whatever its parameter is called."""
        return self.text if self.parameter is None else "{+}" if self.greedy else "{}"


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


def check_path(operation: str, path: str) -> None:
    """`ConfigurationError` where API Gateway cannot serve the path."""
    try:
        found = list(parts(path))
    except ValueError as error:
        raise ConfigurationError(
            f"{operation}: API Gateway has no path with the part {str(error)!r}: letters, digits, "
            "'.', '_', '-' and ':', or one whole {parameter}"
        ) from None
    if any(part.greedy for part in found[:-1]):
        raise ConfigurationError(
            f"{operation}: in API Gateway a parameter that takes a whole path is the last part"
        )
    if path != "/" and path.endswith("/"):
        raise ConfigurationError(
            f"{operation}: API Gateway drops the '/' at the end of {path!r}: leave it out"
        )

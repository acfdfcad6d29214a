"""Other ASGI applications, mounted under a path: each gets what is there and is nothing of ours."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..lifespan import AsgiApp
from .guard import Guard
from .wire import Receive, Scope, Send, path_within


@dataclass(frozen=True)
class Mount:
    """One of them. `state` is what its lifespan keeps for its requests."""

    prefix: str  # without `/` at its end
    app: AsgiApp
    state: dict[str, Any] = field(default_factory=dict)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let it answer, told where it is (`root_path`)."""
        root, path = scope.get("root_path", "").rstrip("/"), path_within(scope)
        below = {"root_path": root + self.prefix, "path": root + path, "state": {**self.state}}
        await Guard(self.app)({**scope, **below}, receive, send)


class Mounts:
    """All of them, found by the longest path."""

    def __init__(self) -> None:
        self._mounts: dict[str, Mount] = {}

    def add(self, mount: Mount) -> None:
        """One more."""
        self._mounts[mount.prefix] = mount

    def find(self, path: str) -> Mount | None:
        """The one with the longest prefix of the path."""
        found = [p for p in self._mounts if path == p or path.startswith(f"{p}/")]
        return self._mounts[max(found, key=len)] if found else None

"""The handshake of a WebSocket: who asks, for which jobs, and whether they may."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass

from ...problem import Problem
from ..wire import RefusedError, Scope, header, path_within, query
from .admission import Admission, jobs_of
from .entrance import Entrance, Entry

SUBPROTOCOL = "cloudevents.json"

_KEY_BYTES = 16


@dataclass(frozen=True)
class Asked:
    """Who opens a connection, the jobs that the URL names, and the cursor."""

    entry: Entry
    jobs: Sequence[str]
    after: str | None


class Handshake:
    """Reads handshakes, and refuses those that may not be."""

    def __init__(self, admission: Admission, path: str, entrance: Entrance | None) -> None:
        self._admission = admission
        self._path = path
        self._entrance = entrance

    async def read(self, scope: Scope) -> Asked:
        """What is asked for. `RefusedError`."""
        parameters = query(scope)
        jobs = jobs_of(parameters)
        self._check(scope, len(jobs))
        entry = Entry() if self._entrance is None else await self._entrance.of_socket(scope)
        return Asked(entry, jobs, parameters.get("after"))

    def _check(self, scope: Scope, jobs: int) -> None:
        if path_within(scope) != self._path:
            raise RefusedError(Problem.of("not-found", f"no WebSocket is at {scope['path']}"))
        key = header(scope, b"sec-websocket-key")
        if key is not None and not _is_key(key):
            detail = "Sec-WebSocket-Key is 16 bytes in base64"
            raise RefusedError(Problem.of("invalid-subscription", detail))
        self._admission.check_origin(scope, header(scope, b"origin"))
        if SUBPROTOCOL not in scope.get("subprotocols", ()):
            detail = f"offer the subprotocol {SUBPROTOCOL}"
            raise RefusedError(Problem.of("invalid-subscription", detail))
        self._admission.check_jobs(jobs)


def _is_key(key: bytes) -> bool:
    """RFC 6455, section 4.1; not every server looks."""
    try:
        return len(b64decode(key, validate=True)) == _KEY_BYTES
    except ValueError:
        return False

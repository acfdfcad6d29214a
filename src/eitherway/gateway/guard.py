"""Around ASGI code of others, middleware or mounted: what it raises is answered with a problem."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any

from starlette.exceptions import HTTPException

from ..lifespan import AsgiApp
from ..problem import Problem
from .wire import Header, Receive, Scope, Send, respond_problem

logger = logging.getLogger("eitherway.gateway")


class Guard:
    """Passes everything on; answers in place of an application that raised before it answered."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def sending(message: MutableMapping[str, Any]) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception as error:
            if started:  # it is too late to say so, and the server must hang up
                raise
            if not isinstance(error, HTTPException):
                logger.exception("%s %s", scope["method"], scope["path"])
            problem, headers = _problem(error)
            await respond_problem(send, problem, headers, head=scope["method"] == "HEAD")


def _problem(error: Exception) -> tuple[Problem, list[Header]]:
    if not isinstance(error, HTTPException):
        return Problem.of("internal-error"), []
    name = {404: "not-found", 405: "method-not-allowed"}.get(error.status_code, "rejected")
    headers = [(k.lower().encode(), v.encode()) for k, v in (error.headers or {}).items()]
    return Problem.of(name, error.detail, status=error.status_code), headers

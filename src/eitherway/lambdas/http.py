"""The function behind API Gateway: the ordinary gateway answers, one request an invocation."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import MutableMapping
from typing import Any

from ..errors import EitherwayError, EngineUnavailableError
from ..gateway.wire import respond_problem
from ..lifespan import AsgiApp
from ..problem import Problem
from .api_events import Event, answer_to, body_of, scope_of
from .environment import Environment, Invocation, LambdaContext

logger = logging.getLogger("eitherway.gateway")

_MORE_SECONDS = 0.1
"""How long a stream that has told something may go on: events often come together."""

_environment = Environment(serving=True)


def handler(event: Event, context: LambdaContext) -> dict[str, Any]:
    """Answer a request of a REST API (1.0) or an HTTP API (2.0). What fails is a problem, too."""

    async def work(invocation: Invocation) -> dict[str, Any]:
        return await answer(invocation.app, event, invocation.seconds_left)

    try:
        return _environment.run(context, work)
    except EngineUnavailableError as error:
        logger.warning("the app cannot be opened: %s", error)
        problem = Problem.of("engine-unavailable", "send it again", retry_after_seconds=1)
    except EitherwayError as error:
        logger.error("the app cannot be opened: %s", error)  # noqa: TRY400 - it says everything
        problem = Problem.of("internal-error")
    return asyncio.run(_refused(event, problem))


async def answer(app: AsgiApp, event: Event, seconds: float) -> dict[str, Any]:
    """What the application answers within `seconds`; after that it hears that the client has gone.

    An event stream ends once it has told something: its readers come back with their cursor.
    """
    exchange = _Exchange(body_of(event))
    answering = asyncio.ensure_future(app(scope_of(event), exchange.receive, exchange.send))
    told = asyncio.ensure_future(exchange.told.wait())
    await asyncio.wait({answering, told}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    if not answering.done() and told.done():
        await asyncio.wait({answering}, timeout=_MORE_SECONDS)
    told.cancel()
    if not answering.done():
        exchange.gone.set()
        answering.cancel()
        await asyncio.wait({answering})
        if exchange.status is None:
            return await _refused(event, Problem.of("timed-out", "the function's time is over"))
    elif (error := answering.exception()) is not None:
        logger.error("%s", event.get("path") or event.get("rawPath"), exc_info=error)
        return await _refused(event, Problem.of("internal-error"))
    return exchange.answer(event)


async def _refused(event: Event, problem: Problem) -> dict[str, Any]:
    exchange = _Exchange(b"")
    await respond_problem(exchange.send, problem)
    return exchange.answer(event)


class _Exchange:
    """One request and its answer, whole."""

    def __init__(self, body: bytes) -> None:
        self._request = [{"type": "http.request", "body": body, "more_body": False}]
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._is_stream = False
        self.status: int | None = None
        self.gone = asyncio.Event()
        self.told = asyncio.Event()  # an event of a stream was written

    async def receive(self) -> MutableMapping[str, Any]:
        if self._request:
            return self._request.pop()
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._headers = [(bytes(name), bytes(value)) for name, value in message["headers"]]
            media_type = dict(self._headers).get(b"content-type", b"")
            self._is_stream = media_type.startswith(b"text/event-stream")
        else:
            self._body.append(message.get("body", b""))
            if self._is_stream and b"data:" in self._body[-1]:
                self.told.set()

    def answer(self, event: Event) -> dict[str, Any]:
        """What the function returns."""
        return answer_to(event, self.status or 500, self._headers, b"".join(self._body))

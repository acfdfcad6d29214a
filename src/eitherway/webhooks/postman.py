"""The handlers behind callbacks: one writes the event of an end, the other delivers it.

They are two so that an event is written down once, as soon as the job has ended: what is delivered
days later, or redriven, is the same to the byte, whatever has become of the job since.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from http import HTTPStatus

from pydantic import BaseModel

from ..callback.destination import Destination
from ..callback.rules import AllowList, Rules
from ..clock import Clock
from ..context import Context
from ..engine.contract import Engine
from ..errors import EitherwayError
from ..ids import Randomness
from ..operation import Operation
from ..settings import Settings
from ..signals import Reject, RetryLater, Throttled
from ..trace import Trace, starting
from .endpoints import Endpoints, Standing
from .event import terminal_event
from .guard import DestinationRefusedError, Guard
from .schedule import delay_seconds, retry_after_seconds
from .sender import Reply, Sender, UnreachableError
from .signing import signed_headers


class JobLostError(EitherwayError):
    """A job was deleted before its end could be told of."""


class Ending(BaseModel):
    """A job that has ended, and whom to tell."""

    job: str
    url: str
    jobs_url: str


class Letter(BaseModel):
    """An event, and where to."""

    url: str
    operation: str  # of the job that it tells of
    id: str  # of the event, the same in every attempt
    body: str
    traceparent: str | None = None
    tracestate: str | None = None


class Postman:
    """The two handlers."""

    def __init__(
        self,
        operations: Iterable[Operation],
        engine: Engine,
        clock: Clock,
        randomness: Randomness,
        settings: Settings,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._uniform = randomness.uniform
        self._rules = Rules(settings)
        self._allowed = {
            one.name: self._rules.allow_list(one.name, one.callbacks)
            for one in operations
            if one.callbacks
        }
        self._gone_seconds = settings.callback_gone_seconds
        self._endpoints = Endpoints(engine)
        self._sender = Sender(Guard(self._rules.networks), clock)

    async def write(self, ctx: Context, ending: Ending) -> None:
        """Write the event of the job's end, as it is known now, and have it delivered."""
        parsed(ending.url)
        (record,) = await self._engine.get([ending.job])
        if record is None:
            raise JobLostError(f"job {ending.job} is not kept any more, its end cannot be told of")
        if not record.done:
            return  # it was sent again: its next end will be told of
        event = terminal_event(record, ending.jobs_url, self._engine.capabilities.durability)
        letter = Letter(
            url=ending.url,
            operation=record.operation,
            id=event.id,
            body=event.body.decode(),
            traceparent=starting(record.id, record.traceparent),
            tracestate=record.tracestate,
        )
        ctx.enqueue(self.deliver, letter)

    async def deliver(self, ctx: Context, letter: Letter) -> int:
        """Send it; the status of the answer, which is of a success."""
        destination = self._destination(letter)
        standing = await self._endpoints.standing(letter.url)
        self._respect(standing)
        secrets = self._rules.secrets.of(destination)
        body = letter.body.encode()
        headers = {
            "content-type": "application/cloudevents+json",
            "user-agent": "eitherway",
            **signed_headers(secrets, letter.id, letter.body, self._clock.now()),
        }
        try:
            with ctx.span.calling("POST", destination.host, destination.port) as calling:
                headers |= _trace(letter, calling.trace)
                reply = await self._sender.post(destination, headers, body)
                calling.answered(reply.status)
        except UnreachableError as error:
            raise RetryLater(delay_seconds(ctx.attempt, self._uniform), str(error)) from error
        if not 200 <= reply.status <= 299:
            await self._failed(ctx, letter, destination, standing, reply)
        return reply.status

    def _destination(self, letter: Letter) -> Destination:
        """Where to, by the rules of now: they may have changed since the request."""
        destination = parsed(letter.url)
        allowed: AllowList = self._allowed.get(letter.operation, self._rules.common)
        refusal = self._rules.refusal(allowed, destination)
        if refusal is not None:
            raise DestinationRefusedError(f"{destination.host}: {refusal}")
        return destination

    def _respect(self, standing: Standing) -> None:
        now = self._clock.now()
        if standing.gone_at and now < standing.gone_at + self._gone_seconds:
            raise Reject("the endpoint said that it is gone", status=410)
        if now < standing.closed_until:
            raise Throttled("the endpoint asked to wait")

    async def _failed(
        self,
        ctx: Context,
        letter: Letter,
        destination: Destination,
        standing: Standing,
        reply: Reply,
    ) -> None:
        """Always raises: what an answer that is no success means for this attempt, and others."""
        now, status = self._clock.now(), reply.status
        if status == HTTPStatus.GONE:
            await self._endpoints.note(letter.url, replace(standing, gone_at=now))
            raise Reject(f"{destination.host} answered {_shown(status)}", status=410)
        asked = retry_after_seconds(reply.retry_after, now)
        delay = delay_seconds(ctx.attempt, self._uniform, status=status, asked_seconds=asked)
        if asked:
            until = max(now + asked, standing.closed_until)
            await self._endpoints.note(letter.url, replace(standing, closed_until=until))
        raise RetryLater(delay, f"{destination.host} answered {_shown(status)}")


def parsed(url: str) -> Destination:
    """Where a URL leads. `DestinationRefusedError` for one that no door would have taken."""
    try:
        return Destination.parse(url)
    except ValueError as error:
        raise DestinationRefusedError(f"this URL is not taken: {error}") from None


def _trace(letter: Letter, calling: Trace | None) -> dict[str, str]:
    parent, state = calling or (letter.traceparent, letter.tracestate)
    given = {"traceparent": parent, "tracestate": state}
    return {name: value for name, value in given.items() if value}


def _shown(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)

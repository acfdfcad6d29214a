"""Plain requests for a queued operation: accepted in two steps around the commit, without ASGI.

A request is plain whose fields ask for nothing that most requests do not ask for: no preference, no
key, no trace. Most accepts are, and what ASGI takes for them (a task, a scope, a coroutine for each
level) costs more than to decode, store and answer them. What is done is the same, and done by the
same functions; a request that turns out not to be plain is left as it came, to be asked in full.
"""

from __future__ import annotations

from asyncio import Future, ensure_future
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from time import perf_counter
from typing import Protocol
from urllib.parse import quote

from ..attempt.runtime import Runtime
from ..codec import encode_mapping
from ..engine.values import Message, NewJob
from ..lifespan import AsgiApp
from ..operation import Operation
from ..registry import new_job
from .preference import NONE, VARY
from .receipts import Receipts
from .routes import Endpoint, Request
from .whole import Lines
from .wire import Header, handler_headers, json_type

Resuming = Callable[[Endpoint], AsgiApp]
"""An ASGI application that answers with this endpoint, whatever it is asked for."""

SPECIAL = frozenset(
    b"callback-url content-encoding expect idempotency-key prefer traceparent upgrade "
    b"x-forwarded-for x-forwarded-proto".split()
)
"""Fields that say how a request is to be read, run or answered."""


class Asking(Protocol):
    """A plain request, as a server has it: it has come whole, and nothing was answered."""

    headers: Sequence[Header]
    fields: Mapping[bytes, bytes]  # the same by name, of which each is there once
    body: bytes

    @property
    def scheme(self) -> str:
        """Of the connection."""

    def respond_whole(self, status: int, lines: Lines, body: bytes) -> bool:
        """Answer; False where messages have to do it."""

    def hand_over(self, app: AsgiApp) -> None:
        """Have an ASGI application answer."""


PlainDoors = Mapping[tuple[bytes, bytes], "PlainDoor"]
"""By method and URL."""


class PlainDoor:
    """Accepts an operation's plain requests."""

    def __init__(
        self, runtime: Runtime, operation: Operation, jobs_path: str, resuming: Resuming
    ) -> None:
        self._operation = operation
        self._takes_context = operation.binding.takes_context
        self._body_bytes_max = runtime.settings.body_bytes_max
        self._payload_bytes_max = runtime.engine.capabilities.payload_bytes_max
        self._now = runtime.clock.now
        self._job_id = runtime.randomness.job_id
        self._accept = runtime.engine.accept
        self._accepted = runtime.metrics.accepts(operation.name)
        self._metrics = runtime.metrics
        self._receipts = Receipts(runtime, operation, jobs_path)
        self._resuming = resuming

    def take(self, asking: Asking) -> bool:
        """Store what is asked for, and answer once that is durable; False: nothing was done."""
        started = perf_counter()
        try:
            job = self._job(asking)
            if job is None:
                return False
            storing = self._accept([job])
        except Exception:  # noqa: BLE001 - what is wrong is said where all is asked, and said
            return False
        if not isinstance(storing, Future):
            storing = ensure_future(storing)
        storing.add_done_callback(partial(self._answer, asking, job, started))
        return True

    def _job(self, asking: Asking) -> NewJob | None:
        """The job; None, or any error, where the request is not plain after all."""
        body, operation = asking.body, self._operation
        is_json = json_type(asking.fields.get(b"content-type"))
        if not is_json or len(body) > self._body_bytes_max:
            return None
        arguments = operation.binding.decode(body, {})
        headers = encode_mapping(handler_headers(asking.headers)) if self._takes_context else b""
        now = self._now()
        return new_job(
            operation,
            Message(payload=body, params=b"", headers=headers),
            job_id=self._job_id(now),
            now=now,
            payload_bytes_max=self._payload_bytes_max,
            counted=operation.keys.of(arguments),
        )

    def _answer(
        self, asking: Asking, job: NewJob, started: float, stored: Future[Sequence[bool]]
    ) -> None:
        """Say that it is stored, or why it is not."""
        error = stored.exception()
        answer = None
        if error is None:
            self._accepted.value += 1
            answer = self._receipts.at_hand(job, asking.scheme, asking.fields[b"host"])
        if answer is None or not asking.respond_whole(202, *answer):
            asking.hand_over(self._resuming(partial(self._answer_in_full, job, error)))
            return
        method, path = self._operation.method or "", self._operation.path or ""
        self._metrics.request(method, path, 202, perf_counter() - started)

    async def _answer_in_full(
        self, job: NewJob, error: BaseException | None, request: Request
    ) -> None:
        """The same after a look into the store, to a client that does not read, or of an error."""
        request.operation, request.job_id = job.operation, job.id
        request.fields.append(VARY)
        if error is not None:
            raise error
        await self._receipts.stored(request, job, NONE)


def plain_url(operation: Operation) -> bytes | None:
    """The one URL at which requests for an operation may be plain, as clients send it."""
    path = operation.path
    if (
        path is None
        or quote(path) != path
        or operation.delivery != "queued"
        or operation.backlog_max is not None
        or operation.idempotency_key == "required"
        or operation.binding.body is None
    ):
        return None
    return path.encode()

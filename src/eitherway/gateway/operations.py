"""The doors of an operation: decode and validate, then run it now, or accept it durably."""

from __future__ import annotations

from collections.abc import Awaitable

from ..attempt.direct import DirectCall
from ..attempt.idempotency import HeldKey, accept_once
from ..attempt.metrics import Counter
from ..attempt.promotion import PromotableCall, Promoted
from ..attempt.runtime import Runtime
from ..codec import Params
from ..ended import Ended
from ..engine.idempotency import KeyRecord, KeyUse
from ..engine.values import NewJob
from ..errors import InvalidInputError, MalformedInputError
from ..keys import NOTHING
from ..operation import Operation
from ..problem import Problem
from ..trace import Trace
from .asked import Asked
from .callback import CallbackHeader
from .documents import record_of
from .gatekeeper import Gatekeeper
from .idempotency import KeyHeader
from .preference import NONE, VARY, Preferences, applied
from .receipts import Receipts
from .repeats import Repeats
from .routes import Request
from .wire import (
    RefusedError,
    handler_headers,
    json_type,
    query,
    respond_answer,
    respond_problem,
    trace_of,
)
from .within import run_within


class OperationDoor:
    """Serves one operation over HTTP, by its declared delivery."""

    def __init__(
        self,
        runtime: Runtime,
        operation: Operation,
        jobs_path: str,
        promoted: Promoted,
        gatekeeper: Gatekeeper | None = None,
    ) -> None:
        self._runtime = runtime
        self._operation = operation
        self._receipts = Receipts(runtime, operation, jobs_path)
        queued = operation.delivery != "direct"
        self._accepted = runtime.metrics.accepts(operation.name) if queued else Counter()
        self._varies = queued
        self._stores = operation.delivery == "queued"
        self._counts = bool(operation.keys)
        self._promoted = promoted
        self._gatekeeper = gatekeeper
        self._credentials = gatekeeper.credential_headers if gatekeeper else frozenset[bytes]()
        self._promotes = (
            operation.delivery == "auto"
            and operation.batch_max is None
            and runtime.engine.capabilities.promotes_running
        )
        settings = runtime.settings
        self._wait_seconds_max = min(settings.wait_seconds_max, operation.wait_seconds_max)
        self._key_header = KeyHeader(settings, operation, runtime.clock)
        self._callback_header = CallbackHeader(settings, operation, jobs_path)
        self._repeats = Repeats(runtime, self._receipts, self._wait_seconds_max)
        self._payload_bytes_max = runtime.engine.capabilities.payload_bytes_max
        self._body_bytes_max = min(settings.body_bytes_max, self._payload_bytes_max)

    async def __call__(self, request: Request) -> None:
        """Answer one request."""
        request.operation = self._operation.name
        if self._varies:  # of refusals, too
            request.fields.append(VARY)
        if self._gatekeeper is not None:
            await self._gatekeeper.identify(request)
        body = self._body_at_hand(request)
        if body is None:
            body = await self._body(request)
        asked = self._ask(request, body)
        wished = NONE
        if self._varies and b"prefer" in request.first:
            wished = Preferences.of(request)
        if self._stores or not self._runs_now(wished):
            await self._accept(request, asked, None, None, wished)
        elif asked.key is None:
            await self._call(request, asked, None, wished)
        else:
            found = await self._claim(asked.key)
            if isinstance(found, KeyRecord):
                await self._repeats.answer(request, asked.key, found, wished)
            else:
                await self._call(request, asked, found, wished)

    def _ask(self, request: Request, body: bytes) -> Asked:
        """What the request asks, decoded and checked, once. `RefusedError`."""
        binding, scope, first = self._operation.binding, request.scope, request.first
        seen = scope["headers"] if binding.takes_context else ()
        callback = self._callback_header.of(request) if b"callback-url" in first else None
        key = self._key_header.use(request, body)
        params: Params = {**query(scope), **request.params} if binding.takes_params else {}
        try:
            arguments = binding.decode(body, params)
            counted = self._operation.keys.of(arguments) if self._counts else NOTHING
        except MalformedInputError as error:
            raise RefusedError(Problem.of("malformed-input", str(error))) from None
        except InvalidInputError as error:
            problem = Problem.of("invalid-input", str(error), errors=error.errors)
            raise RefusedError(problem) from None
        return Asked(
            operation=self._operation,
            body=body,
            params=params,
            headers=handler_headers(seen, self._credentials),
            arguments=arguments,
            counted=counted,
            key=key,
            callback=callback,
            owner=request.owner,
            trace=self._trace(request),
        )

    def _trace(self, request: Request) -> Trace | None:
        if request.span is not None:
            return request.span.child
        return trace_of(request.scope["headers"]) if b"traceparent" in request.first else None

    def _runs_now(self, wished: Preferences) -> bool:
        """Whether to call the operation, while there is room, rather than store a job first."""
        if self._operation.delivery == "direct":
            return True
        if wished.wait_seconds is not None:
            return self._promotes and wished.wait_seconds > 0
        return not wished.respond_async

    def _body_at_hand(self, request: Request) -> bytes | None:
        """The body, where nothing has to be said about it and the server has all of it."""
        if self._operation.binding.body is None:
            return b""
        first = request.first
        if b"content-encoding" in first or not json_type(first.get(b"content-type")):
            return None
        return request.body_at_hand(self._body_bytes_max)

    async def _body(self, request: Request) -> bytes:
        """The body of any request. `RefusedError` where it is none that the operation takes."""
        encoding = request.first.get(b"content-encoding")
        if encoding not in (None, b"identity"):
            problem = Problem.of("unsupported-encoding", "send the body as it is")
            raise RefusedError(problem, [(b"accept-encoding", b"identity")])
        media_type = request.first.get(b"content-type")
        if not json_type(media_type):
            body = b"" if media_type else await request.body(self._body_bytes_max)
            parameter = self._operation.binding.body
            if body or media_type or (parameter is not None and parameter.required):
                problem = Problem.of("unsupported-media-type", "send JSON, as application/json")
                raise RefusedError(problem, [(b"accept", b"application/json")])
            return b""
        return await request.body(self._body_bytes_max)

    async def _call(
        self, request: Request, asked: Asked, held: HeldKey | None, wished: Preferences
    ) -> None:
        """Run it and answer; a job, where it may become one, past its time or without room."""
        seconds = self._wait_seconds(wished)
        new_call = DirectCall if seconds is None else PromotableCall
        call = new_call(
            self._runtime,
            self._operation,
            asked.arguments,
            asked.headers,
            asked.counted,
            key=held,
            principal=asked.owner,
            trace=asked.trace,
        )
        request.job_id, request.span = call.job_id, request.span or call.span
        if isinstance(call, PromotableCall):
            answered = await self._call_within(request, asked, call, seconds or 0.0, wished)
        else:
            overflows = self._operation.delivery == "auto"
            ended = await (call.run_if_room() if overflows else call.run())
            if answered := ended is not None:
                await self.reply(request, ended)
        if not answered:
            await self._accept(request, asked, call.job_id, held, wished)

    async def _call_within(
        self,
        request: Request,
        asked: Asked,
        call: PromotableCall,
        seconds: float,
        wished: Preferences,
    ) -> bool:
        """Run it and answer; past the wait, with a 202 for the job that it is then.

        False, and nothing is done, where it has to wait for room.
        """

        def make_job(now: float) -> NewJob:
            return self._job(asked, call.job_id, now, call.key)

        waited = None if wished.wait_seconds is None else seconds
        outcome = await run_within(self._runtime, self._promoted, call, make_job, seconds)
        if outcome.job is not None:
            self._accepted.add()
            await self._receipts.accepted(request, outcome.job, wished, waited)
        elif outcome.ended is not None:
            await self.reply(request, outcome.ended, waited if outcome.in_time else None)
        return outcome.job is not None or outcome.ended is not None

    def _wait_seconds(self, wished: Preferences) -> float | None:
        """How long a call has until it becomes a job, where it can; None: as long as it takes."""
        if not self._promotes:
            return None
        given = None if self._operation.wait_seconds is None else self._wait_seconds_max
        return wished.wait_within(self._wait_seconds_max) or given

    async def reply(self, request: Request, ended: Ended, waited: float | None = None) -> None:
        """Answer with what a call has come to; `waited` is the wait that was granted before."""
        fields = [] if waited is None else applied(responded_async=False, waited_seconds=waited)
        if ended.answer is not None:
            await respond_answer(request.send, ended.answer, fields, head=request.head)
        elif ended.problem is not None:
            if ended.problem.name == "overloaded":
                self._runtime.metrics.refuse(ended.problem.name)
            await respond_problem(request.send, ended.problem, fields, head=request.head)

    def _job(self, asked: Asked, job_id: str, now: float, held: HeldKey | None) -> NewJob:
        """The job of a request; the key goes over from a call that holds it."""
        key = asked.key if held is None else held.for_job()
        return asked.job(job_id, now, self._payload_bytes_max, key)

    async def _claim(self, key: KeyUse) -> HeldKey | KeyRecord:
        runtime, lease_seconds = self._runtime, self._operation.lease_seconds
        call_id = runtime.new_id()
        return await HeldKey.claim(runtime.engine, runtime.clock, key, call_id, lease_seconds)

    async def _accept(
        self,
        request: Request,
        asked: Asked,
        job_id: str | None,  # of the call that became a job
        held: HeldKey | None,
        wished: Preferences,
    ) -> None:
        """Store the job, under its key where it has one, and answer for it."""
        runtime = self._runtime
        now = runtime.clock.now()
        request.job_id = job_id or runtime.randomness.job_id(now)
        if held is None:
            job = self._job(asked, request.job_id, now, None)
            stored = await self._store(job)
        else:
            async with held:
                job = self._job(asked, request.job_id, now, held)
                stored = await self._store(job)
                if isinstance(stored, NewJob):
                    held.went_over()
        if isinstance(stored, NewJob):
            request.job_id = stored.id
            self._accepted.value += 1
            wait_seconds = wished.wait_seconds and wished.wait_within(self._wait_seconds_max)
            if wait_seconds:
                await self._receipts.answer(request, record_of(stored), wished, wait_seconds)
            else:
                await self._receipts.stored(request, stored, wished)
        elif job.key is not None:
            await self._repeats.answer(request, job.key, stored, wished)

    def _store(self, job: NewJob) -> Awaitable[NewJob | KeyRecord]:
        runtime = self._runtime
        if runtime.spans.exports:
            return self._send(job)
        return accept_once(runtime.engine, runtime.backlog, self._operation, job)

    async def _send(self, job: NewJob) -> NewJob | KeyRecord:
        """Store it within a span."""
        runtime = self._runtime
        with runtime.spans.sending(job) as sent:
            return await accept_once(runtime.engine, runtime.backlog, self._operation, sent)

"""The doors of an operation: decode and validate, then run it now, or accept it durably."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

from ..attempt.direct import DirectCall
from ..attempt.idempotency import HeldKey, accept_once
from ..attempt.metrics import Counter
from ..attempt.promotion import MakeJob, PromotableCall, Promoted
from ..attempt.runtime import Runtime
from ..codec import Params, encode_mapping
from ..engine.idempotency import KeyRecord, KeyUse
from ..engine.values import Message, NewJob
from ..errors import BacklogFullError, InvalidInputError, MalformedInputError
from ..execute import Ended
from ..keys import Counted
from ..operation import Operation
from ..problem import Problem
from ..registry import new_job
from ..trace import Trace
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
    header,
    json_type,
    query,
    read_body,
    respond_answer,
    respond_problem,
    trace_of,
    with_header,
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
        self._receipts = Receipts(runtime, jobs_path)
        queued = operation.delivery != "direct"
        self._accepted = runtime.metrics.accepts(operation.name) if queued else Counter()
        self._varies = queued
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
        self._body_bytes_max = min(
            settings.body_bytes_max, runtime.engine.capabilities.payload_bytes_max
        )

    async def __call__(self, request: Request) -> None:
        """Answer one request."""
        request.operation = self._operation.name
        if self._varies:  # of refusals, too
            request.send = with_header(request.send, VARY)
        if self._gatekeeper is not None:
            await self._gatekeeper.identify(request)
        callback = self._callback_header.of(request)
        body = await self._body(request)
        key = self._key_header.use(request, body)
        scope = request.scope
        params: Params = (
            {**query(scope), **request.params} if self._operation.binding.takes_params else {}
        )
        try:
            arguments = self._operation.binding.decode(body, params)
            counted = self._operation.keys.of(arguments)
        except MalformedInputError as error:
            raise RefusedError(Problem.of("malformed-input", str(error))) from None
        except InvalidInputError as error:
            problem = Problem.of("invalid-input", str(error), errors=error.errors)
            raise RefusedError(problem) from None
        wants_headers = self._operation.binding.takes_context
        headers = handler_headers(scope, self._credentials) if wants_headers else {}
        trace = request.span.child if request.span else trace_of(scope)
        wished = Preferences.of(scope) if self._varies else NONE
        runs_now = self._runs_now(wished)
        held: HeldKey | None = None
        if key is not None and runs_now:
            found = await self._claim(key)
            if isinstance(found, KeyRecord):
                await self._repeats.answer(request, key, found, wished)
                return
            held = found
        new_call = DirectCall if self._wait_seconds(wished) is None else PromotableCall
        owner = request.owner
        call = new_call(
            self._runtime,
            self._operation,
            arguments,
            headers,
            counted,
            key=held,
            principal=owner,
            trace=trace,
        )

        def job(now: float) -> NewJob:
            made = self._job(call.job_id, body, params, headers, counted, trace=trace, now=now)
            bound = key if held is None else held.for_job()
            return replace(made, key=bound, owner=owner, callback=callback)

        request.job_id, request.span = call.job_id, request.span or call.span
        if not runs_now or not await self._call(request, call, job, wished):
            await self._accept(request, job, held, wished)

    def _runs_now(self, wished: Preferences) -> bool:
        """Whether to call the operation, while there is room, rather than store a job first."""
        if self._operation.delivery != "auto":
            return self._operation.delivery == "direct"
        if wished.wait_seconds is not None:
            return self._promotes and wished.wait_seconds > 0
        return not wished.respond_async

    async def _body(self, request: Request) -> bytes:
        if self._operation.binding.body is None:
            return b""
        scope = request.scope
        encoding = header(scope, b"content-encoding")
        if encoding not in (None, b"identity"):
            problem = Problem.of("unsupported-encoding", "send the body as it is")
            raise RefusedError(problem, [(b"accept-encoding", b"identity")])
        media_type = header(scope, b"content-type")
        if not json_type(media_type):
            body = b"" if media_type else await self._read(request)
            if body or media_type or self._operation.binding.body.required:
                problem = Problem.of("unsupported-media-type", "send JSON, as application/json")
                raise RefusedError(problem, [(b"accept", b"application/json")])
            return b""
        return await self._read(request)

    async def _read(self, request: Request) -> bytes:
        return await read_body(request.scope, request.receive, self._body_bytes_max)

    async def _call(
        self, request: Request, call: DirectCall, job: MakeJob, wished: Preferences
    ) -> bool:
        """Run it and answer; False, and nothing is done, where it has to wait for room."""
        if isinstance(call, PromotableCall):
            return await self._call_within(request, call, job, wished)
        overflows = self._operation.delivery == "auto"
        ended = await (call.run_if_room() if overflows else call.run())
        if ended is not None:
            await self._reply(request, ended, None)
        return ended is not None

    async def _call_within(
        self, request: Request, call: PromotableCall, job: MakeJob, wished: Preferences
    ) -> bool:
        """The same; past the wait, with a 202 for the job that it is then."""
        seconds = self._wait_seconds(wished) or 0.0
        asked = None if wished.wait_seconds is None else seconds
        outcome = await run_within(self._runtime, self._promoted, call, job, seconds)
        if outcome.job is not None:
            self._accepted.add()
            await self._receipts.accepted(request, outcome.job, wished, asked)
        elif outcome.ended is not None:
            await self._reply(request, outcome.ended, asked if outcome.in_time else None)
        return outcome.job is not None or outcome.ended is not None

    def _wait_seconds(self, wished: Preferences) -> float | None:
        """How long a call has until it becomes a job, where it can; None: as long as it takes."""
        if not self._promotes:
            return None
        given = None if self._operation.wait_seconds is None else self._wait_seconds_max
        return wished.wait_within(self._wait_seconds_max) or given

    async def _reply(self, request: Request, ended: Ended, waited: float | None) -> None:
        fields = applied(responded_async=False, waited_seconds=waited)
        if ended.answer is not None:
            await respond_answer(request.send, ended.answer, fields, head=request.head)
        elif ended.problem is not None:
            if ended.problem.name == "overloaded":
                self._runtime.metrics.refuse(ended.problem.name)
            await respond_problem(request.send, ended.problem, fields, head=request.head)

    def _job(
        self,
        job_id: str,
        body: bytes,
        params: Params,
        headers: dict[str, str],
        counted: Counted,
        *,
        trace: Trace | None,
        now: float,
    ) -> NewJob:
        runtime = self._runtime
        message = Message(
            payload=body, params=encode_mapping(params), headers=encode_mapping(headers)
        )
        limit = runtime.engine.capabilities.payload_bytes_max
        try:
            return new_job(
                self._operation,
                message,
                job_id=job_id,
                now=now,
                payload_bytes_max=limit,
                counted=counted,
                trace=trace,
            )
        except InvalidInputError as error:
            raise RefusedError(Problem.of("payload-too-large", str(error))) from None

    async def _claim(self, key: KeyUse) -> HeldKey | KeyRecord:
        runtime, lease_seconds = self._runtime, self._operation.lease_seconds
        call_id = runtime.new_id()
        return await HeldKey.claim(runtime.engine, runtime.clock, key, call_id, lease_seconds)

    async def _accept(
        self, request: Request, make_job: MakeJob, held: HeldKey | None, wished: Preferences
    ) -> None:
        """Store the job, under its key where it has one, and answer for it."""
        async with held or nullcontext():
            job = make_job(self._runtime.clock.now())
            with self._runtime.spans.sending(job) as sent:
                stored = await self._store(sent)
            if held is not None and isinstance(stored, NewJob):
                held.went_over()
        if isinstance(stored, NewJob):
            request.job_id = stored.id
            self._accepted.add()
            wait_seconds = wished.wait_within(self._wait_seconds_max)
            await self._receipts.answer(request, record_of(stored), wished, wait_seconds)
        elif job.key is not None:
            await self._repeats.answer(request, job.key, stored, wished)

    async def _store(self, job: NewJob) -> NewJob | KeyRecord:
        runtime = self._runtime
        try:
            return await accept_once(runtime.engine, runtime.backlog, self._operation, job)
        except BacklogFullError as error:
            after = error.retry_after_seconds
            problem = Problem.of("backlog-full", str(error), retry_after_seconds=after)
            raise RefusedError(problem) from None

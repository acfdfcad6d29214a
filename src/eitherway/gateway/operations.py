"""The doors of an operation: decode and validate, then run it now, or accept it durably."""

from __future__ import annotations

from ..attempt.direct import DirectCall
from ..attempt.metrics import Counter
from ..attempt.runtime import Runtime
from ..codec import Params, encode_mapping
from ..engine.values import Message, NewJob
from ..errors import BacklogFullError, InvalidInputError, MalformedInputError
from ..keys import Counted
from ..operation import Operation
from ..problem import Problem
from ..registry import new_job
from .documents import record_of
from .preference import NONE, VARY, Preferences
from .receipts import Receipts
from .routes import Request
from .wire import (
    RefusedError,
    Scope,
    handler_headers,
    header,
    json_type,
    query,
    read_body,
    respond_answer,
    respond_problem,
    with_header,
)


class OperationDoor:
    """Serves one operation over HTTP, by its declared delivery."""

    def __init__(self, runtime: Runtime, operation: Operation, jobs_path: str) -> None:
        self._runtime = runtime
        self._operation = operation
        self._receipts = Receipts(runtime, jobs_path)
        queued = operation.delivery != "direct"
        self._accepted = runtime.metrics.accepts(operation.name) if queued else Counter()
        self._varies = queued
        settings = runtime.settings
        self._wait_seconds_max = min(settings.wait_seconds_max, operation.wait_seconds_max)
        self._body_bytes_max = min(
            settings.body_bytes_max, runtime.engine.capabilities.payload_bytes_max
        )

    async def __call__(self, request: Request) -> None:
        """Answer one request."""
        request.operation = self._operation.name
        if self._varies:  # of refusals, too
            request.send = with_header(request.send, VARY)
        body = await self._body(request)
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
        wants_headers = self._operation.binding.context_name is not None
        headers = handler_headers(scope) if wants_headers else _trace(scope)
        call = DirectCall(self._runtime, self._operation, arguments, headers, counted)
        wished = Preferences.of(scope) if self._varies else NONE
        if self._runs_now(wished) and await self._call(request, call):
            return
        job = self._job(call.job_id, body, params, headers, counted)
        await self._accept(request, job, wished)

    def _runs_now(self, wished: Preferences) -> bool:
        """Whether to call the operation, while there is room, rather than store a job first."""
        if self._operation.delivery == "auto":
            return not wished.respond_async and wished.wait_seconds is None
        return self._operation.delivery == "direct"

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

    async def _call(self, request: Request, call: DirectCall) -> bool:
        """Run it and answer; False, and nothing is done, where it has to wait for room."""
        request.job_id = call.job_id
        overflows = self._operation.delivery == "auto"
        ended = await (call.run_if_room() if overflows else call.run())
        if ended is None:
            return False
        if ended.answer is not None:
            await respond_answer(request.send, ended.answer, head=request.head)
        elif ended.problem is not None:
            if ended.problem.name == "overloaded":
                self._runtime.metrics.refuse(ended.problem.name)
            await respond_problem(request.send, ended.problem, head=request.head)
        return True

    def _job(
        self,
        job_id: str,
        body: bytes,
        params: Params,
        headers: dict[str, str],
        counted: Counted,
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
                now=runtime.clock.now(),
                payload_bytes_max=limit,
                counted=counted,
            )
        except InvalidInputError as error:
            raise RefusedError(Problem.of("payload-too-large", str(error))) from None

    async def _accept(self, request: Request, job: NewJob, wished: Preferences) -> None:
        await self._store(job)
        self._accepted.add()
        request.job_id = job.id
        wait_seconds = wished.wait_within(self._wait_seconds_max)
        await self._receipts.answer(request, record_of(job), wished, wait_seconds)

    async def _store(self, job: NewJob) -> None:
        try:
            await self._runtime.backlog.accept(self._operation, job)
        except BacklogFullError as error:
            after = error.retry_after_seconds
            problem = Problem.of("backlog-full", str(error), retry_after_seconds=after)
            raise RefusedError(problem) from None


def _trace(scope: Scope) -> dict[str, str]:
    """The headers to keep of a request whose handler asks for none: whose trace it belongs to."""
    value = header(scope, b"traceparent")
    return {"traceparent": value.decode("latin-1")} if value else {}

"""Plain requests for a direct operation: the call in its task, and nothing around it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import lru_cache, partial

from ..attempt.direct import DirectCall
from ..attempt.runtime import Runtime
from ..ended import Ended
from ..keys import Arguments
from ..operation import Operation
from .plain import Asking, PlainDoor, Resuming
from .routes import Request
from .whole import Lines, lines_of
from .wire import described

Reply = Callable[[Request, Ended], Awaitable[None]]
"""Answers with whatever a call has come to."""

_BODILESS = frozenset({204, 304})


class PlainCalls(PlainDoor):
    """Runs calls, and answers with what they give back."""

    def __init__(
        self, runtime: Runtime, operation: Operation, resuming: Resuming, reply: Reply
    ) -> None:
        super().__init__(runtime, operation, resuming)
        self._reply = reply

    def _begin(self, asking: Asking, arguments: Arguments, started: float) -> None:
        call = DirectCall(
            self._runtime,
            self._operation,
            arguments,
            self._headers(asking),
            self._counted(arguments),
            trace=self._trace(asking),
        )
        asking.run(partial(self._run, asking, call, started))

    async def _run(self, asking: Asking, call: DirectCall, started: float, *_: object) -> None:
        error = ended = answer = None
        try:
            ended = await call.run()
            answer = ended.answer
        except Exception as raised:  # noqa: BLE001 - raised again, where it is answered
            error = raised
        if answer is not None and answer.status not in _BODILESS:
            lines = _lines_of_answer(answer.media_type, len(answer.body))
            if asking.respond_whole(answer.status, lines, answer.body):
                self._answered(answer.status, started)
                return
        await asking.ask(self._resuming(partial(self._answer_in_full, call, ended, error)))

    async def _answer_in_full(
        self, call: DirectCall, ended: Ended | None, error: Exception | None, request: Request
    ) -> None:
        """Of a problem, an error, an answer without a body, or to a client that does not read."""
        request.operation, request.job_id, request.span = (
            self._operation.name,
            call.job_id,
            call.span,
        )
        if ended is None:
            raise error or AssertionError("a call ends, or raises")
        await self._reply(request, ended)


@lru_cache(maxsize=1024)
def _lines_of_answer(media_type: str, length: int) -> Lines:
    return lines_of(described((), media_type.encode(), length))

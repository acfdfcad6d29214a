"""Plain requests for a queued operation: two steps around the commit, and no task.

Those that come in one turn of the event loop are stored by one call of the engine.
"""

from __future__ import annotations

import logging
from asyncio import Future, ensure_future, get_running_loop
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from ..attempt.forecast import Outlook
from ..attempt.runtime import Runtime
from ..codec import encode_mapping
from ..engine.values import Message, NewJob
from ..errors import EngineUnavailableError
from ..keys import Arguments
from ..operation import Operation
from ..registry import new_job
from .plain import Asking, PlainDoor, Resuming
from .preference import NONE, VARY
from .receipts import Receipts
from .routes import Request

logger = logging.getLogger("eitherway.gateway")


@dataclass(slots=True)
class _Accept:
    asking: Asking
    job: NewJob
    started: float


class PlainAccepts(PlainDoor):
    """Accepts jobs, and answers from the commit's own future."""

    def __init__(
        self, runtime: Runtime, operation: Operation, resuming: Resuming, jobs_path: str
    ) -> None:
        super().__init__(runtime, operation, resuming)
        self._payload_bytes_max = runtime.engine.capabilities.payload_bytes_max
        self._now = runtime.clock.now
        self._job_id = runtime.randomness.job_id
        self._accept = runtime.engine.accept
        self._accepted = runtime.metrics.accepts(operation.name)
        self._outlooks = runtime.forecast.of_new
        self._receipts = Receipts(runtime, operation, jobs_path)
        self._turn: list[_Accept] = []  # what this turn of the loop has brought

    def _begin(self, asking: Asking, arguments: Arguments, started: float) -> None:
        now = self._now()
        job = new_job(
            self._operation,
            Message(asking.body, b"", encode_mapping(self._headers(asking))),
            job_id=self._job_id(now),
            now=now,
            payload_bytes_max=self._payload_bytes_max,
            counted=self._counted(arguments),
            trace=self._trace(asking),
        )
        if not self._turn:
            get_running_loop().call_soon(self._end_turn)
        self._turn.append(_Accept(asking, job, started))

    def _end_turn(self) -> None:
        turn, self._turn = self._turn, []
        self._store(turn)

    def _store(self, accepts: Sequence[_Accept]) -> None:
        """Store the jobs, and say that they are, or why not."""
        try:
            storing = ensure_future(self._accept([accept.job for accept in accepts]))
        except Exception as error:  # noqa: BLE001 - it is answered
            self._failed(accepts, error)
        else:
            storing.add_done_callback(partial(self._ended, accepts))

    def _ended(self, accepts: Sequence[_Accept], stored: Future[Sequence[bool]]) -> None:
        error = stored.exception()
        if error is not None:
            self._failed(accepts, error)
            return
        self._accepted.value += len(accepts)
        outlooks: Sequence[Outlook | None]
        outlooks = self._outlooks(self._operation.name, len(accepts)) or [None] * len(accepts)
        for accept, outlook in zip(accepts, outlooks, strict=True):
            try:
                if outlook is None or not self._answer(accept, outlook):
                    self._answer_in_full(accept, None)
            except Exception:  # the others have an answer to get
                logger.exception("job %s is stored, and nobody is told", accept.job.id)

    def _failed(self, accepts: Sequence[_Accept], error: BaseException) -> None:
        if len(accepts) == 1 or isinstance(error, EngineUnavailableError):
            for accept in accepts:
                self._answer_in_full(accept, error)
        else:  # one request's mistake is not the others': each on its own
            for accept in accepts:
                self._store([accept])

    def _answer(self, accept: _Accept, outlook: Outlook) -> bool:
        """Say that it is stored; False where messages have to do it."""
        asking, host = accept.asking, accept.asking.fields[b"host"]
        answer = self._receipts.at_hand(accept.job, asking.scheme, host, outlook)
        answered = asking.respond_whole(202, *answer)
        if answered:
            self._answered(202, accept.started)
        return answered

    def _answer_in_full(self, accept: _Accept, error: BaseException | None) -> None:
        """After a look into the store, to a client that does not read, or of an error."""
        asking = accept.asking
        in_full = self._resuming(partial(self._say, accept.job, error))
        asking.run(lambda *_: asking.ask(in_full))

    async def _say(self, job: NewJob, error: BaseException | None, request: Request) -> None:
        request.operation, request.job_id = job.operation, job.id
        request.fields.append(VARY)
        if error is not None:
            raise error
        await self._receipts.stored(request, job, NONE)

"""Plain requests for a queued operation: two steps around the commit, and no task."""

from __future__ import annotations

from asyncio import Future, ensure_future
from collections.abc import Sequence
from functools import partial

from ..attempt.runtime import Runtime
from ..engine.values import NewJob
from ..operation import Operation
from .asked import Asked
from .plain import Asking, PlainDoor, Resuming
from .preference import NONE, VARY
from .receipts import Receipts
from .routes import Request


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
        self._receipts = Receipts(runtime, operation, jobs_path)

    def _begin(self, asking: Asking, asked: Asked, started: float) -> None:
        now = self._now()
        job = asked.job(self._job_id(now), now, self._payload_bytes_max, None)
        storing = self._accept([job])
        if not isinstance(storing, Future):
            storing = ensure_future(storing)
        storing.add_done_callback(partial(self._answer, asking, job, started))

    def _answer(
        self, asking: Asking, job: NewJob, started: float, stored: Future[Sequence[bool]]
    ) -> None:
        """Say that it is stored, or why it is not."""
        error, answer = stored.exception(), None
        if error is None:
            self._accepted.value += 1
            answer = self._receipts.at_hand(job, asking.scheme, asking.fields[b"host"])
        if answer is not None and asking.respond_whole(202, *answer):
            self._answered(202, started)
        else:
            in_full = self._resuming(partial(self._answer_in_full, job, error))
            asking.run(lambda *_: asking.ask(in_full))

    async def _answer_in_full(
        self, job: NewJob, error: BaseException | None, request: Request
    ) -> None:
        """The same after a look into the store, to a client that does not read, or of an error."""
        request.operation, request.job_id = job.operation, job.id
        request.fields.append(VARY)
        if error is not None:
            raise error
        await self._receipts.stored(request, job, NONE)

"""What a request gets whose idempotency key was used before."""

from __future__ import annotations

from ..attempt.runtime import Runtime
from ..engine.idempotency import KeyRecord, KeyUse
from ..job import JobRecord
from ..problem import Problem
from .idempotency import REPLAYED, stored_answer
from .preference import Preferences
from .receipts import Receipts
from .routes import Request
from .wire import RefusedError, respond_answer


class Repeats:
    """Answers repeats, in whichever delivery they come, by what their keys stand for."""

    def __init__(self, runtime: Runtime, receipts: Receipts, wait_seconds_max: float) -> None:
        self._runtime = runtime
        self._receipts = receipts
        self._wait_seconds_max = wait_seconds_max

    async def answer(
        self, request: Request, key: KeyUse, found: KeyRecord, wished: Preferences
    ) -> None:
        """Replay the answer of a call; of a job, answer as it is now, or after the wished wait.

        `RefusedError` as `stored_answer`, and 410 or 404 where the job is gone.
        """
        request.job_id = found.job_id
        answer = stored_answer(key, found)
        if answer is not None:
            await respond_answer(request.send, answer, [REPLAYED], head=request.head)
            return
        (record,) = await self._runtime.engine.get([found.job_id])
        if record is None or record.hidden:
            raise await self._gone(found.job_id, record)
        wait_seconds = wished.wait_within(self._wait_seconds_max)
        if wait_seconds:
            await self._receipts.answer(request, record, wished, wait_seconds)
        else:
            await self._receipts.accepted(request, record, wished, is_new=False)

    async def _gone(self, job_id: str, record: JobRecord | None) -> RefusedError:
        """What to say of a job that was deleted, or is not kept any more."""
        gone = record or (await self._runtime.engine.gone([job_id]))[0]
        detail = "the job of this key is not kept any more: for a new run send a new key"
        return RefusedError(Problem.of("job-gone" if gone else "unknown-job", detail))

"""A delivered job in a task of its own, from claim to settlement."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from ..ended import Ended
from ..engine.values import Settled, Settlement, SettleStatus, Work
from ..errors import EngineError, InvalidInputError
from ..job import Attempt
from .leases import Held
from .queued import QueuedAttempt
from .run import Ran

logger = logging.getLogger("eitherway.worker")

_OVER = frozenset({SettleStatus.DONE, SettleStatus.LEASE_LOST})


class RunningAttempt(QueuedAttempt):
    """Runs one delivered job through the execution path, and settles it with others that end.

    Its task ends with the handler, so that little is kept of all that wait for one commit. Only
    what could not be committed as it was goes on, in a task again.
    """

    __slots__ = ("_ran", "_release")

    def begin(self, loop: asyncio.AbstractEventLoop, release: Callable[[Held], None]) -> None:
        """Run, from the next turn of the loop on. To cancel the task gives the job back.

        `release` is called once: when the job is settled, or left to its lease.
        """
        self._ran: Ran | None = None  # from when it waits to be settled
        self._release = release
        self._begin_task(loop)

    @property
    def stopped(self) -> bool:
        """Whether it is to go no further."""
        return self._held.stopped

    def settlement(self, now: float) -> Settlement:
        """What it came to, and where the job goes with that."""
        ran = self._ran
        if ran is None:
            raise RuntimeError("an attempt is settled once it has run")
        return self.judged(ran.ended, ran.work, (), now)

    def settled(self, became: Settled) -> None:
        """It is over, unless its work could not be committed."""
        ran = self._ran
        if ran is None or became.status not in _OVER:
            self._go_on(became)
        else:
            ran.watch.ended(ran.ended)
            self.note_settled(became)
            self._release(self._held)

    def unsettled(self, error: Exception) -> None:
        """The engine will never take its work, or it is left to its lease."""
        if isinstance(error, EngineError) and not error.retryable:
            self._go_on(Settled(status=SettleStatus.FAILED, error=error))
        else:
            self._leave(error)

    def _begin_task(
        self, loop: asyncio.AbstractEventLoop, before: tuple[Ran, Settled] | None = None
    ) -> None:
        self._held.begun = False
        self._held.task = loop.create_task(self._run(before), name=self._delivery.job.id)

    def _go_on(self, settled: Settled) -> None:
        ran, self._ran = self._ran, None
        if ran is not None:
            self._begin_task(asyncio.get_running_loop(), (ran, settled))

    async def _run(self, before: tuple[Ran, Settled] | None) -> None:
        """Run, and wait to be settled; or go on, where this has become of that."""
        held = self._held
        held.begun = True
        try:
            if held.stopped:
                raise asyncio.CancelledError  # noqa: TRY301 - as if it had begun
            arguments = self.arguments()
            if before is not None:
                await self._run_on(arguments, *before)
                self._leave(None)
                return
            ran = await self._runtime.runner.once(
                self._operation, arguments, self.new_context, self._timeout_seconds()
            )
            if held.context is not None and held.context.thread is not None:
                await self.keep_thread()
            self._ran = ran
            self._runtime.settler.add(self)
            held.task = None  # let go at once, rather than with all others of the commit
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - it is looked at
            await self._end(error)

    async def _run_on(self, arguments: dict[str, Any], ran: Ran, settled: Settled) -> None:
        await self._runtime.runner.go_on(
            ran,
            settled,
            self._operation,
            arguments,
            new_context=self.new_context,
            commit=self._commit,
            timeout_seconds=self._timeout_seconds(),
            first_number=self._delivery.job.starts,
        )

    async def _commit(self, ended: Ended, work: Work, conflicts: tuple[Attempt, ...]) -> Settled:
        await self.keep_thread()
        return await self.settle(ended, work, conflicts)

    def _timeout_seconds(self) -> float:
        seconds, left = self._operation.timeout_seconds, self._delivery.job.deadline - self._started
        return seconds if left >= seconds else max(0.0, left)

    async def _end(self, error: BaseException) -> None:
        """End it otherwise than by its handler."""
        try:
            if isinstance(error, asyncio.CancelledError):
                await self.give_back()
            elif isinstance(error, InvalidInputError):
                await self.refuse(error)
            else:
                self._leave(error)
                return
        except (Exception, asyncio.CancelledError) as another:  # noqa: BLE001 - it is told
            self._leave(another)
        else:
            self._leave(None)

    def _leave(self, error: BaseException | None) -> None:
        """Nothing more is done for it here; after an error, its lease lapses."""
        job_id = self._delivery.job.id
        if isinstance(error, EngineError):
            logger.warning("job %s is left to its lease: %s", job_id, error)
        elif isinstance(error, Exception):
            logger.error("job %s is left to its lease", job_id, exc_info=error)
        self._held.abandon_span()
        self._release(self._held)

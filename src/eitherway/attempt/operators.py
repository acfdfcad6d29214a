"""What operators may do to jobs, whichever door they come through: HTTP or the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pydantic_core import from_json

from ..clock import Clock
from ..engine.contract import Engine
from ..engine.limits import LimitUse
from ..engine.listing import JobFilter, JobPage
from ..engine.values import Message, OperationStatistics
from ..errors import (
    InvalidInputError,
    MalformedInputError,
    UnknownJobError,
    UnknownOperationError,
)
from ..job import JobRecord
from ..operation import Operation
from ..registry import Operations
from .dead import SCANNED_MAX, DeadGroups, Selection, dead_groups, letters
from .redrive import CANARY_SECONDS, Redriven, Redriver, is_dead
from .upgrade import UpgradeError, arguments_of
from .watch import Watcher

_BATCH = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Inside:
    """A job with all that is stored of it: for operators alone."""

    job: JobRecord
    message: Message


class Operators:
    """Looks at jobs and dead letters, sends them again, deletes them, pauses operations.

    `operations` are those of the app; None where only the store is known. Then budgets come from
    the records, and an edited payload is checked for being JSON, and for its size, alone.
    """

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        watcher: Watcher,
        operations: Operations | None = None,
    ) -> None:
        self._engine = engine
        self._operations = operations
        self._redriver = Redriver(engine, clock, watcher, operations)

    # -- looking ---------------------------------------------------------------------------------

    async def jobs(self, wanted: JobFilter, after: str | None, count: int) -> JobPage:
        """A page of jobs, newest first."""
        return await self._engine.list(wanted, after, count)

    async def job(self, job_id: str) -> Inside:
        """One job with its message. `UnknownJobError`."""
        (record,) = await self._engine.get([job_id])
        (message,) = await self._engine.messages([job_id])
        if record is None or message is None:
            raise UnknownJobError(f"no job {job_id}: it never was, or its retention is over")
        return Inside(job=record, message=message)

    async def dead(self, wanted: JobFilter | None = None) -> DeadGroups:
        """Dead letters grouped by operation, kind and cause: of the newest `SCANNED_MAX`."""
        return await dead_groups(self._engine, wanted or JobFilter(dead=True), SCANNED_MAX)

    async def workers(self) -> int | None:
        """How many processes take jobs; None where the engine cannot know."""
        return await self._engine.workers()

    async def statistics(self) -> Sequence[OperationStatistics]:
        """Where every operation's jobs are."""
        return await self._engine.statistics()

    async def limits(self) -> Sequence[LimitUse]:
        """What is in use of every limit that was ever used."""
        return await self._engine.limits()

    # -- acting ----------------------------------------------------------------------------------

    async def redrive(
        self,
        selection: Selection,
        *,
        per_second: float | None = None,
        canary: bool = False,
        canary_seconds: float = CANARY_SECONDS,
    ) -> Redriven:
        """Send dead letters again, `per_second` of them a second, behind a canary if wished."""
        return await self._redriver.redrive(
            selection, per_second=per_second, canary=canary, canary_seconds=canary_seconds
        )

    async def edit(self, job_id: str, payload: bytes) -> None:
        """Send a dead letter again with another payload; its parameters and headers stay.

        The job stays of the version that it was accepted under, and so does its payload: what is
        given here has that version's form, as what it replaces had, and goes through `upgrade=`.
        `InvalidInputError` where the payload does not fit the operation: then nothing changes.
        `UnknownJobError` where the job is no dead letter.
        """
        inside = await self.job(job_id)
        message = replace(inside.message, payload=payload)
        self._check(inside.job, message)
        if not is_dead(inside.job) or not await self._redriver.send_edited(inside.job, message):
            raise UnknownJobError(f"job {job_id} is {inside.job.state}, and no dead letter")

    async def purge(self, selection: Selection) -> int:
        """Delete dead letters with all that belongs to them; how many."""
        ids = selection.ids
        if ids is None:
            found = letters(self._engine, selection.filter())
            ids = [letter.id async for letter in found]
        gone = 0
        for start in range(0, len(ids), _BATCH):
            gone += sum(await self._engine.discard(ids[start : start + _BATCH]))
        return gone

    async def pause(self, operation: str, *, paused: bool) -> None:
        """Have no attempts of the operation started, or have them started again, everywhere.

        `UnknownOperationError` where neither the app nor the store knows the name.
        """
        known = {one.operation for one in await self._engine.statistics()}
        if self._operation(operation) is None and operation not in known:
            raise UnknownOperationError(f"no operation {operation!r} has jobs, or is in the app")
        await self._engine.pause([operation], paused=paused)

    # -- checking --------------------------------------------------------------------------------

    def _operation(self, name: str) -> Operation | None:
        return self._operations.named(name) if self._operations is not None else None

    def _check(self, job: JobRecord, message: Message) -> None:
        size = len(message.payload) + len(message.params) + len(message.headers)
        most = self._engine.capabilities.payload_bytes_max
        if size > most:
            raise InvalidInputError(f"the message has {size} bytes, the engine takes {most}")
        operation = self._operation(job.operation)
        if operation is not None and job.version <= operation.version:
            _check_fit(operation, message, job.version)
            return
        try:
            from_json(message.payload, allow_inf_nan=False)
        except ValueError as error:
            raise MalformedInputError(str(error)) from None


def _check_fit(operation: Operation, message: Message, version: int) -> None:
    if operation.binding.body is None and message.payload:
        raise InvalidInputError(f"{operation.name} takes no body: its input is in its parameters")
    try:
        arguments_of(operation, message, version)
    except UpgradeError as error:
        raised = error.__cause__
        raise InvalidInputError(
            f"{error}, with {type(raised).__name__}: {raised}: give the body in the form that "
            f"version {version} had"
        ) from None

"""Keeping leases: one task extends all of them, and ends the attempts that lost theirs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..context import Context
from ..engine.values import Extension, Lease
from ..errors import EngineError
from ..job import JobState, Outcome
from ..operation import Operation
from .runtime import Runtime

_PROGRESS_SECONDS = 1.0
_EXTENSIONS_PER_LEASE = 3


@dataclass(eq=False, slots=True)
class Held:
    """A lease in this process, with the attempt under it."""

    lease: Lease
    operation: Operation
    extended: float  # when the lease was taken or extended last
    context: Context | None = None  # of the run that goes on now
    lost: bool = False
    canceled: bool = False  # that is why
    stopped: bool = False  # its attempt is to go no further
    begun: bool = True  # else its task will see that by itself: it would not begin if cancelled
    task: asyncio.Task[Any] | None = None  # until it has ended
    company: Sequence[Held] = ()  # those of the same batch, and so of the same task

    def abandon_span(self, outcome: Outcome = Outcome.LEASE_LOST) -> None:
        """The run that went on is over; by this, unless something else was said of it."""
        if self.context is not None:
            self.context.span.abandon(outcome)


class LeaseKeeper:
    """Extends leases in time, and records progress with them."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._held: dict[str, Held] = {}
        self._freed: asyncio.Future[None] | None = None
        runtime.canceler.tell(self)

    def __len__(self) -> int:
        return len(self._held)

    def held(self) -> list[Held]:
        """All of them."""
        return list(self._held.values())

    def add(self, held: Held) -> None:
        """Keep this lease."""
        self._held[held.lease.job_id] = held

    def drop(self, held: Held) -> None:
        """Its attempt has been settled."""
        job_id, freed = held.lease.job_id, self._freed
        if self._held.get(job_id) is held:
            del self._held[job_id]
            if freed is not None:
                self._freed = None
                if not freed.done():
                    freed.set_result(None)

    def freed(self) -> asyncio.Future[None]:
        """Done when the next one is dropped."""
        if self._freed is None or self._freed.done():
            self._freed = asyncio.get_running_loop().create_future()
        return self._freed

    async def emptied(self) -> None:
        """Return once none is kept."""
        while self._held:
            await self.freed()

    async def run(self) -> None:
        """Extend until cancelled."""
        while True:
            await self._runtime.clock.sleep(self._pause_seconds())
            await self.extend_due()
            await self.look_for_canceled()

    def _pause_seconds(self) -> float:
        shortest = min((held.operation.lease_seconds for held in self._held.values()), default=15.0)
        return min(_PROGRESS_SECONDS, shortest / _EXTENSIONS_PER_LEASE)

    async def extend_due(self) -> None:
        """Extend every lease that is a third over, and those with progress to record."""
        now = self._runtime.clock.monotonic()
        due: list[tuple[Held, Extension]] = []
        for held in self._held.values():
            if held.lost:
                continue
            seconds = held.operation.lease_seconds
            progress = held.context.take_progress() if held.context else None
            if progress is not None or now - held.extended >= seconds / _EXTENSIONS_PER_LEASE:
                wish = Extension(lease=held.lease, lease_seconds=seconds, progress=progress)
                due.append((held, wish))
        if not due:
            return
        try:
            kept = await self._runtime.engine.extend([wish for _, wish in due])
        except EngineError:
            return  # the next round comes before the leases lapse
        for (held, _), still_ours in zip(due, kept, strict=True):
            if still_ours:
                held.extended = now
            elif self._held.get(held.lease.job_id) is held:
                self._lose(held)

    async def look_for_canceled(self) -> None:
        """Stop what another process has canceled: a lease says so only when it is extended."""
        held = [each.lease.job_id for each in self._held.values() if not each.lost]
        try:
            records = await self._runtime.engine.get(held) if held else ()
        except EngineError:
            return
        self.canceled(
            [each.id for each in records if each is not None and each.state is JobState.CANCELED]
        )

    def canceled(self, job_ids: Sequence[str]) -> None:
        """Stop what runs of these jobs here."""
        for job_id in job_ids:
            if (held := self._held.get(job_id)) is not None:
                self._lose(held)

    def _lose(self, held: Held) -> None:
        if held.lost:
            return
        held.lost = held.stopped = True
        if held.context is not None:
            held.context.cancel()
        if all(other.lost for other in held.company):  # what is lost is no reason to stop the rest
            _cancel([held])


def _cancel(all_held: Sequence[Held]) -> None:
    for task in {held.task for held in all_held if held.begun}:
        if task is not None:
            task.cancel()


async def finish_or_give_back(
    runtime: Runtime, leases: LeaseKeeper, timeout_seconds: float | None
) -> None:
    """Wait until attempts are settled; those that still run after the time are given back."""
    if not len(leases):
        return
    emptied = asyncio.ensure_future(leases.emptied())
    if not await runtime.clock.wait(emptied, timeout_seconds):
        held = leases.held()
        for one in held:
            one.stopped = True
        _cancel(held)
        await emptied

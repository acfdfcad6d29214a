"""A call that has so long to answer: then it becomes a job, and the caller gets a 202."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ..attempt.promotion import MakeJob, PromotableCall, Promoted
from ..attempt.runtime import Runtime
from ..ended import Ended
from ..job import JobRecord


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it: an end, in time or late; or the job that the call is now; or neither."""

    ended: Ended | None = None  # None without a job: there was no room
    in_time: bool = False
    job: JobRecord | None = None


async def run_within(
    runtime: Runtime,
    promoted: Promoted,
    call: PromotableCall,
    make_job: MakeJob,
    wait_seconds: float,
) -> Outcome:
    """Run the call; after the wait, or at a drain, promote it. Engine errors of the call pass."""
    task = call.start(promoted)
    try:
        await _in_time(runtime, task, wait_seconds)
        in_time = task.done()
        if not in_time and (record := await call.promote(make_job)) is not None:
            return Outcome(job=record)
    except asyncio.CancelledError:
        task.cancel()
        raise
    return Outcome(ended=await task, in_time=in_time)


async def _in_time(runtime: Runtime, task: asyncio.Task[Ended | None], seconds: float) -> None:
    """Return when it is done, the time is over, or a drain has begun."""
    draining = asyncio.ensure_future(runtime.hub.letting_go.wait())
    first = asyncio.ensure_future(
        asyncio.wait({task, draining}, return_when=asyncio.FIRST_COMPLETED)
    )
    try:
        await runtime.clock.wait(first, seconds)
    finally:
        first.cancel()
        draining.cancel()

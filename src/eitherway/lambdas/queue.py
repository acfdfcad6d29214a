"""The function behind an operation's queues: it runs what an event source mapping gives it.

The record says what becomes of a job, so a message has done its work once its job is claimed, or
needs no claim. Only what is for later is reported as a failure: SQS shows it again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ..attempt.leases import Held, LeaseKeeper, finish_or_give_back
from ..attempt.queued import QueuedAttempt
from ..attempt.runtime import Runtime
from ..ended import Ended
from ..engine.values import Delivery, Demand, Work
from ..engines.aws.taking import Taken
from ..errors import EngineError
from ..job import Outcome
from ..problem import Problem
from ..worker.attempts import Attempts
from ..worker.consumer import demand
from .environment import Environment, Invocation, LambdaContext
from .messages import Received, received
from .store import engine_of

logger = logging.getLogger("eitherway.worker")

_environment = Environment(serving=False)


def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Run the jobs of a batch of messages; which of them SQS is to show again.

    Raises `EngineUnavailableError` where DynamoDB took none of them: Lambda then slows down.
    """
    return _environment.run(context, partial(run_batch, event["Records"]))


async def run_batch(records: Sequence[Mapping[str, Any]], invocation: Invocation) -> dict[str, Any]:
    """The same, in an invocation under way."""
    runtime = invocation.runtime
    messages = [received(record, runtime) for record in records]
    for message in messages:
        if message.hint is None:
            logger.error("message %s names no job and no operation", message.id)
    hinted = [message for message in messages if message.hint is not None]
    taken = await _take(runtime, hinted)
    later = {
        message: one.later_seconds
        for message, one in zip(hinted, taken, strict=True)
        if one.later_seconds is not None
    }
    await _put_off(runtime, later)
    await _run(invocation, hinted, taken)
    failed = [message.id for message in messages if message in later or message.hint is None]
    return {"batchItemFailures": [{"itemIdentifier": each} for each in failed]}


async def _take(runtime: Runtime, messages: Sequence[Received]) -> Sequence[Taken]:
    """Claim what the messages are about. What there was no capacity for is for later."""
    hints = [message.hint for message in messages if message.hint is not None]
    taken = await engine_of(runtime).take(hints, _demands(runtime, messages))
    refused = [one.refused for one in taken if one.refused is not None]
    if refused and len(refused) == len(taken):
        raise refused[0]
    if refused:
        logger.warning("%d of %d messages later: %s", len(refused), len(taken), refused[0])
    return taken


def _demands(runtime: Runtime, messages: Sequence[Received]) -> list[Demand]:
    names = {(m.hint.operation, m.hint.alone) for m in messages if m.hint is not None}
    found = [(runtime.operations.named(name), alone) for name, alone in sorted(names)]
    return [
        demand(runtime, operation, len(messages), alone=alone)
        for operation, alone in found
        if operation is not None
    ]


async def _put_off(runtime: Runtime, later: Mapping[Received, float]) -> None:
    """Have SQS show them again after their time; it would after the queue's own, otherwise."""
    by_queue: dict[str, dict[str, float]] = {}
    for message, seconds in later.items():
        by_queue.setdefault(message.queue, {})[message.receipt] = seconds
    for queue, receipts in by_queue.items():
        await engine_of(runtime).put_off(queue, receipts)


async def _run(
    invocation: Invocation, messages: Sequence[Received], taken: Sequence[Taken]
) -> None:
    """Run what was claimed, until it is settled; in time, give back what is not."""
    runtime = invocation.runtime
    leases = LeaseKeeper(runtime)
    alone = any(one.hint.alone for one in taken)
    attempts = Attempts(runtime, leases, alone=alone)
    refusals = []
    for message, one in zip(messages, taken, strict=True):
        if one.delivery is None:
            continue
        if message.refusal is not None and one.delivery.job.starts == 1:
            refusals.append(_refuse(runtime, one.delivery, message.refusal))
        else:
            attempts.start([one.delivery])
    attempts.batches.flush()  # what is there is all that comes
    await asyncio.gather(*refusals)
    keeper = asyncio.create_task(leases.run())
    stopping = asyncio.ensure_future(invocation.stopping.wait())
    settled = asyncio.ensure_future(leases.emptied())
    await asyncio.wait(
        {settled, stopping},
        timeout=invocation.seconds_left,
        return_when=asyncio.FIRST_COMPLETED,
    )
    await finish_or_give_back(runtime, leases, 0)
    for task in (keeper, stopping):
        task.cancel()
    await asyncio.wait({keeper, stopping, settled})


async def _refuse(runtime: Runtime, delivery: Delivery, problem: Problem) -> None:
    """End a job as rejected: what the caller sent would have been refused at any other door."""
    operation = runtime.operations.named(delivery.job.operation)
    if operation is None:
        return
    held = Held(delivery.lease, operation, runtime.clock.monotonic())
    attempt = QueuedAttempt(runtime, operation, delivery, held)
    try:
        await attempt.settle(Ended(outcome=Outcome.REJECTED, problem=problem), Work(), ())
    except EngineError as error:  # the others of its batch have nothing to do with it
        logger.warning("job %s is left to its lease: %s", delivery.job.id, error)

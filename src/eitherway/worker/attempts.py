"""Starts an attempt for each delivery: a task of its own, or a place in a batch."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from ..attempt.leases import Held, LeaseKeeper
from ..attempt.queued import QueuedAttempt
from ..attempt.runtime import Runtime
from ..engine.values import Delivery
from .batches import Batches

logger = logging.getLogger("eitherway.worker")


class Attempts:
    """Starts attempts, whose leases are kept until they have ended. With `alone`, one by one."""

    def __init__(self, runtime: Runtime, leases: LeaseKeeper, *, alone: bool = False) -> None:
        self._runtime = runtime
        self._leases = leases
        self.batches = Batches(runtime, leases.drop, alone=alone)

    def start(self, delivery: Delivery) -> None:
        """Begin with this one; it goes on by itself."""
        operation = self._runtime.operations.named(delivery.job.operation)
        if operation is None:
            raise LookupError(f"{delivery.job.operation} was not in the demand")
        held = Held(delivery.lease, operation, self._runtime.clock.monotonic())
        if operation.batch_max is None:
            attempt = QueuedAttempt(self._runtime, operation, delivery, held)
            loop, name = asyncio.get_running_loop(), f"job-{delivery.job.id}"
            held.task = loop.create_task(attempt.run(), name=name)
            held.task.add_done_callback(partial(self._ended, held))
        else:
            self.batches.add(held, delivery)
        self._leases.add(held)

    def _ended(self, held: Held, task: asyncio.Task[None]) -> None:
        self._leases.drop(held)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("job %s is left to its lease", held.lease.job_id, exc_info=error)

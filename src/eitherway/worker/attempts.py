"""Starts an attempt for each delivery: a task of its own, or a place in a batch."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
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

    def start(self, deliveries: Iterable[Delivery]) -> None:
        """Begin with these; they go on by themselves."""
        runtime, loop = self._runtime, asyncio.get_running_loop()
        now, started = runtime.clock.monotonic(), runtime.clock.now()
        for delivery in deliveries:
            operation = runtime.operations.named(delivery.job.operation)
            if operation is None:
                raise LookupError(f"{delivery.job.operation} was not in the demand")
            held = Held(delivery.lease, operation, now)
            if operation.batch_max is None:
                attempt = QueuedAttempt(runtime, operation, delivery, held, started)
                held.task = loop.create_task(attempt.run(), name=f"job-{delivery.job.id}")
                held.task.add_done_callback(partial(self._ended, held))
            else:
                self.batches.add(held, delivery)
            self._leases.add(held)

    def _ended(self, held: Held, task: asyncio.Task[None]) -> None:
        self._leases.drop(held)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("job %s is left to its lease", held.lease.job_id, exc_info=error)

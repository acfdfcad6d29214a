"""Starts an attempt for each delivery: a task of its own, or a place in a batch."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from ..attempt.leases import Held, LeaseKeeper
from ..attempt.running import RunningAttempt
from ..attempt.runtime import Runtime
from ..engine.values import Delivery
from .batches import Batches


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
                attempt = RunningAttempt(runtime, operation, delivery, held, started)
                attempt.begin(loop, self._leases.drop)
            else:
                self.batches.add(held, delivery)
            self._leases.add(held)

"""What a million calls of each operation cost: by the emitted template, and dated prices.

An estimate, for comparing deliveries: the assumptions are in `Assumed`, and free tiers left out.
What the engine asks of DynamoDB is counted in `tests/unit/test_aws_units.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..operation import Operation
from .plan import Plan, Planned
from .prices import Prices

Json = Mapping[str, Any]

# Write units of a record of up to 1 KB, with what moves in the indexes of its table (moved is two).
STORED = 4  # put, and into three indexes: `listed`, `waiting`, `sweep`
TAKEN = 4  # written; out of `waiting`; moved in `sweep`
TAKEN_UNSTORED = 3  # put by who takes it, and into two: `listed`, `sweep`
SETTLED = 4  # in the transaction of its items, which doubles it; moved in `sweep`
FORGOTTEN = 6  # written as a tombstone, moved in `sweep`, out of `listed`; deleted, out of `sweep`
LIMITED = 2  # of each limit: drawn from, and given back, by each invocation
COUNTED = 2  # how many run and how many have ended, by each invocation of a worker

_MILLION = 1_000_000
_MINUTES_MONTH = 365 / 12 * 24 * 60


@dataclass(frozen=True, kw_only=True)
class Assumed:
    """What an operation is taken to be: short, small, one write, full batches."""

    handler_seconds: float = 0.05
    overhead_seconds: float = 0.02  # of the function, around its handler
    item_writes: int = 1  # of 1 KB
    stream_batch: int = 10  # revisions that one invocation of the push function gets
    polls_minute: int = 15  # of a queue that is empty: 5 pollers wait 20 s each


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Of a million calls, by what charges for them."""

    api: float
    functions: float
    queue: float
    table: float

    @property
    def sum(self) -> float:
        """All of it."""
        return self.api + self.functions + self.queue + self.table


class Costs:
    """What the stack of a template costs, with these prices."""

    def __init__(self, template: Json, prices: Prices, assumed: Assumed) -> None:
        self._prices = prices
        self._assumed = assumed
        self._kinds: list[str] = [one["Type"] for one in template["Resources"].values()]
        self._gigabytes: float = template["Parameters"]["MemoryMegabytes"]["Default"] / 1024
        architectures = template["Resources"]["Status"]["Properties"]["Architectures"]
        self._gb_second = (
            prices.lambda_gb_second_arm64
            if architectures == ["arm64"]
            else prices.lambda_gb_second_x86_64
        )

    def of(self, plan: Plan) -> Iterator[tuple[str, Cost]]:
        """A million calls of each operation, by its name."""
        for planned in plan.operations:
            if planned.queue is None:
                yield planned.operation.name, self._called(planned.operation)
            else:
                yield planned.operation.name, self._queued(planned, planned.queue.batch)

    def poll(self) -> float:
        """A million looks at a job's status."""
        read = self._prices.dynamodb_million_read_units
        return (
            self._prices.rest_million_requests + self._run(1, self._assumed.overhead_seconds) + read
        )

    def told(self) -> float:
        """A million jobs that somebody follows over a WebSocket that is open: one frame to ask,
        three events, a row of the channel put and deleted.
        """
        frames, rows = 1 + 3, 2
        return (
            frames * self._prices.socket_million_messages
            + self._run(1, self._assumed.overhead_seconds)
            + rows * self._prices.dynamodb_million_write_units
        )

    def idle_month(self) -> float:
        """A month in which nobody calls: alarms, queues that are polled, the sweeper."""
        queues = self._kinds.count("AWS::SQS::Queue")
        polls = queues * self._assumed.polls_minute * _MINUTES_MONTH / _MILLION
        sweeps = self._run(_MINUTES_MONTH, self._assumed.overhead_seconds) / _MILLION
        alarms = self._kinds.count("AWS::CloudWatch::Alarm")
        return (
            alarms * self._prices.alarm_month + polls * self._prices.sqs_million_requests + sweeps
        )

    def _called(self, operation: Operation) -> Cost:
        """Answered on the call: what the handler writes, and what limits are drawn from."""
        is_read = operation.method == "GET"
        written = LIMITED * len(operation.limits) + (0 if is_read else self._assumed.item_writes)
        if not is_read and self._assumed.item_writes > 1:  # in a transaction
            written += self._assumed.item_writes
        return Cost(
            api=self._prices.rest_million_requests,
            functions=self._run(1, self._busy_seconds),
            queue=0.0,
            table=self._table(written, self._assumed.item_writes if is_read else 0),
        )

    def _queued(self, planned: Planned, batch: int) -> Cost:
        """Accepted, worked on in batches, told of, and forgotten in the end."""
        operation, overhead = planned.operation, self._assumed.overhead_seconds
        is_stored = not planned.at_gateway
        front = self._run(1, overhead) if is_stored and operation.path else 0.0
        told = self._run(2 / self._assumed.stream_batch, overhead)  # that it runs; that it ended
        taken = STORED + TAKEN if is_stored else TAKEN_UNSTORED
        items = 2 * self._assumed.item_writes  # in a transaction, with the record
        each = (COUNTED + LIMITED * len(operation.limits)) / batch + (1 if is_stored else 0)
        looked_for = 2  # the record, before it is taken; who listens to it
        return Cost(
            api=self._prices.rest_million_requests if operation.path else 0.0,
            functions=front + self._run(1 / batch, self._busy_seconds) + told,
            queue=(1 + 2 / batch) * self._prices.sqs_million_requests,  # sent; taken and deleted
            table=self._table(taken + SETTLED + FORGOTTEN + items + each, looked_for),
        )

    @property
    def _busy_seconds(self) -> float:
        """Of an invocation that runs handlers: those of a batch side by side."""
        return self._assumed.handler_seconds + self._assumed.overhead_seconds

    def _run(self, invocations: float, seconds: float) -> float:
        """A million times so many invocations, each for so long."""
        billed = seconds * self._gigabytes * self._gb_second * _MILLION
        return invocations * (self._prices.lambda_million_requests + billed)

    def _table(self, written: float, read: float) -> float:
        return (
            written * self._prices.dynamodb_million_write_units
            + read * self._prices.dynamodb_million_read_units
        )

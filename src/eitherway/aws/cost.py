"""What a million calls of each operation cost: by the emitted template, and dated prices.

An estimate, for comparing deliveries: the assumptions are in `Assumed`, and free tiers left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import ConfigurationError
from ..operation import Operation
from .plan import Plan, Planned

Json = Mapping[str, Any]
_MILLION = 1_000_000


class Prices(BaseModel):
    """Prices of one region on one day: `prices.json`, or a file with the same keys."""

    model_config = ConfigDict(extra="forbid")

    date: str
    region: str
    currency: str
    source: str = ""
    rest_million_requests: float = Field(ge=0)
    socket_million_messages: float = Field(ge=0)
    lambda_million_requests: float = Field(ge=0)
    lambda_gb_second_arm64: float = Field(ge=0)
    lambda_gb_second_x86_64: float = Field(ge=0)
    sqs_million_requests: float = Field(ge=0)
    dynamodb_million_write_units: float = Field(ge=0)
    dynamodb_million_read_units: float = Field(ge=0)

    @classmethod
    def read(cls, file: Path | None = None) -> Prices:
        """Those of a file, else ours. `ConfigurationError` for what is missing or wrong."""
        try:
            text = (
                file.read_text() if file else files(__package__).joinpath("prices.json").read_text()
            )
            return cls.model_validate_json(text)
        except OSError as error:
            raise ConfigurationError(f"--prices {file}: {error.strerror}") from None
        except ValidationError as error:
            found = error.errors()[0]
            where = ".".join(str(part) for part in found["loc"])
            raise ConfigurationError(
                f"--prices {file}: {where}: {found['msg']}".replace(": : ", ": ")
            ) from None


@dataclass(frozen=True, kw_only=True)
class Assumed:
    """What an operation is taken to be: short, small, one write, full batches."""

    handler_seconds: float = 0.05
    overhead_seconds: float = 0.02  # of the function, around its handler
    item_writes: int = 1  # of 1 KB
    record_reads: int = 2  # of a job: when it is claimed, and when it is told of
    counter_writes: int = 3  # of a worker's invocation: limits drawn and given back, counters
    stream_batch: int = 10  # revisions that one invocation of the push function gets


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


def costs(
    plan: Plan, template: Json, prices: Prices, assumed: Assumed
) -> Iterator[tuple[str, Cost]]:
    """The cost of a million calls of each operation, by its name."""
    pricing = _Pricing(template, prices, assumed)
    for planned in plan.operations:
        yield planned.operation.name, pricing.of(planned)


class _Pricing:
    def __init__(self, template: Json, prices: Prices, assumed: Assumed) -> None:
        self._prices = prices
        self._assumed = assumed
        parameter = template["Parameters"]["MemoryMegabytes"]["Default"]
        self._gigabytes = float(parameter) / 1024
        functions = [
            one["Properties"]
            for one in template["Resources"].values()
            if one["Type"] == "AWS::Lambda::Function"
        ]
        is_arm = functions[0]["Architectures"] == ["arm64"]
        self._gb_second = (
            prices.lambda_gb_second_arm64 if is_arm else prices.lambda_gb_second_x86_64
        )
        self._indexes = len(
            template["Resources"]["Jobs"]["Properties"].get("GlobalSecondaryIndexes", [])
        )

    def of(self, planned: Planned) -> Cost:
        """Of one operation, answered or accepted, worked on, and told of."""
        seconds = self._assumed.handler_seconds + self._assumed.overhead_seconds
        requests = self._prices.rest_million_requests if planned.operation.path else 0.0
        if planned.queue is None:
            return Cost(
                api=requests,
                functions=self._run(1, seconds),
                queue=0.0,
                table=self._items(planned.operation),
            )
        batch = planned.queue.batch
        invoked = self._run(1 / batch, seconds)  # a batch's attempts run side by side
        told = self._run(2 / self._assumed.stream_batch, self._assumed.overhead_seconds)
        front = 0 if planned.at_gateway else self._run(1, self._assumed.overhead_seconds)
        messages = 1 + 2 / batch  # sent; received and deleted together
        return Cost(
            api=requests,
            functions=front + invoked + told,
            queue=messages * self._prices.sqs_million_requests,
            table=self._items(planned.operation)
            + self._record(1 / batch, at_gateway=planned.at_gateway),
        )

    def _run(self, invocations: float, seconds: float) -> float:
        """A million times so many invocations, each for so long."""
        billed = seconds * self._gigabytes * self._gb_second * _MILLION
        return invocations * (self._prices.lambda_million_requests + billed)

    def _items(self, operation: Operation) -> float:
        """What the handler writes, in a transaction, at twice the units; a GET reads as much."""
        if operation.method == "GET":
            return self._assumed.item_writes * self._prices.dynamodb_million_read_units
        return 2 * self._assumed.item_writes * self._prices.dynamodb_million_write_units

    def _record(self, invocations: float, *, at_gateway: bool) -> float:
        """The record's writes: (stored,) claimed, settled with the items; its indexes are sparse.

        A waiting record is in three indexes, a running one in two, one that ended in one.
        """
        listed, sweep, waiting = (int(self._indexes > place) for place in range(3))
        claimed = 1 + (listed + sweep if at_gateway else sweep + waiting)
        stored = 0 if at_gateway else 1 + listed + sweep + waiting
        settled = 2 + sweep
        written = stored + claimed + settled + self._assumed.counter_writes * invocations
        read = self._assumed.record_reads * self._prices.dynamodb_million_read_units
        return written * self._prices.dynamodb_million_write_units + read

"""Write capacity: what a table takes in a second, in units of 1 KB, as DynamoDB provisions it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .errors import ConfigurationError
from .expect import check_types

UNIT_BYTES = 1024

BURST_SECONDS = 300.0
"""What DynamoDB saves up."""


@dataclass(frozen=True, kw_only=True)
class WriteCapacity:
    """`per_second` units, and what is saved up over `burst_seconds` without writes.

    The least that is saved up is a second's worth: shorter times are not told apart.
    """

    per_second: float
    burst_seconds: float

    def __post_init__(self) -> None:
        check_types(self, "write capacity")
        if not (math.isfinite(self.per_second) and self.per_second >= 1):
            raise ConfigurationError("write_capacity=... is 1 unit of 1 KB a second, or more")
        if not (math.isfinite(self.burst_seconds) and self.burst_seconds >= 0):
            raise ConfigurationError("write_burst_seconds=... is 0 or more")

    @classmethod
    def of(cls, per_second: float | None, burst_seconds: float | None) -> WriteCapacity | None:
        """The capacity of a table that may have none, and may leave the burst to the default."""
        if per_second is None:
            return None
        burst_seconds = BURST_SECONDS if burst_seconds is None else burst_seconds
        return cls(per_second=per_second, burst_seconds=burst_seconds)

    @property
    def units_max(self) -> float:
        """What can be saved up, and so the most that one attempt may need."""
        return self.per_second * max(1.0, self.burst_seconds)


def units(size_bytes: int) -> int:
    """What a write costs whose key and value have so many bytes; a delete has none, and costs 1."""
    return max(1, -(-size_bytes // UNIT_BYTES))

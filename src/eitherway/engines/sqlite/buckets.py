"""Token buckets: what may be taken now, refilled as time goes. One of a name for a store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...engine.values import Charge

if TYPE_CHECKING:
    from .transaction import Transaction


@dataclass(slots=True)
class Bucket:
    """A token bucket as it is at the transaction's time."""

    tokens: float
    filled: float  # when it held that
    changed: bool = False


class Buckets:
    """The buckets as a transaction sees them; what it took is written at its end.

    `per_second` is how fast a bucket fills and `most` what it can hold. A new one is full.
    """

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._buckets: dict[str, Bucket] = {}

    def take(self, name: str, count: float, per_second: float, most: float) -> bool:
        """Take so many tokens; False, and nothing is taken, where there are fewer."""
        bucket = self._now(name, per_second, most)
        if bucket.tokens < count:
            return False
        bucket.tokens -= count
        bucket.changed = True
        return True

    def available(self, name: str, per_second: float, most: float) -> float:
        """How many tokens there are."""
        return self._now(name, per_second, most).tokens

    def put_back(self, name: str, count: float, per_second: float, most: float) -> None:
        """Give back what was taken and not used."""
        bucket = self._now(name, per_second, most)
        bucket.tokens = min(most, bucket.tokens + count)
        bucket.changed = True

    def charge(self, charges: Sequence[Charge]) -> float:
        """Take what all of them ask for, or nothing: after how many seconds to ask again, or 0."""
        for position, charge in enumerate(charges):
            name, units = charge.bucket, charge.units
            per_second, most = charge.per_second, charge.units_max
            if not self.take(name, units, per_second, most):
                for taken in charges[:position]:
                    self.put_back(taken.bucket, taken.units, taken.per_second, taken.units_max)
                return (units - self.available(name, per_second, most)) / per_second
        return 0.0

    def write(self) -> None:
        """Write down how full those are that something was taken from."""
        rows = [(name, b.tokens, b.filled) for name, b in self._buckets.items() if b.changed]
        self._tx.each("write_bucket", rows)

    def _now(self, name: str, per_second: float, most: float) -> Bucket:
        bucket = self._buckets.get(name)
        if bucket is None:
            row = self._tx.one("bucket", name=name)
            bucket = Bucket(*row) if row else Bucket(most, self._tx.now)
            self._buckets[name] = bucket
        elapsed_seconds = self._tx.now - bucket.filled
        if elapsed_seconds < 0:  # the clock was set back: what is gained counts from here
            elapsed_seconds, bucket.changed = 0.0, True
        bucket.tokens = min(most, bucket.tokens + elapsed_seconds * per_second)
        bucket.filled = self._tx.now
        return bucket

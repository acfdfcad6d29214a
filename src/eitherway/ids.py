"""Ids and randomness as constructor arguments."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache
from random import Random

_AT_ONCE = 32
"""Ids whose random part is drawn together: the system's source costs a call."""

_DIGITS = 18  # of each, beside the one that says the variant
_VARIANTS = str.maketrans("0123456789abcdef", "89ab" * 4)


class Randomness:
    """Job ids and jitter from one source; the system's by default, seeded in tests."""

    def __init__(self, seed: int | None = None) -> None:
        self._jitter = Random(seed)  # noqa: S311 - jitter, not secrets
        self._source: Callable[[int], bytes] = (
            os.urandom if seed is None else self._jitter.randbytes
        )
        self._tails: list[str] = []

    def job_id(self, now_seconds: float) -> str:
        """A UUIDv7 (RFC 9562): ordered by time, 74 random bits, so it cannot be guessed."""
        if not self._tails:
            self._tails = self._draw()
        return _time_of(int(now_seconds * 1000)) + self._tails.pop()

    def _draw(self) -> list[str]:
        """What follows the time in some ids."""
        digits = self._source(_AT_ONCE * _DIGITS // 2).hex()
        variants = self._source(_AT_ONCE // 2).hex().translate(_VARIANTS)
        return [
            f"-7{digits[at : at + 3]}-{variant}{digits[at + 3 : at + 6]}-{digits[at + 6 : at + 18]}"
            for at, variant in zip(range(0, len(digits), _DIGITS), variants, strict=True)
        ]

    def span_id(self) -> str:
        """16 hexadecimal digits, never all zero (W3C Trace Context). Not secret. Thread-safe."""
        return f"{self._jitter.getrandbits(64) or 1:016x}"

    def uniform(self, low: float, high: float) -> float:
        """A float between `low` and `high`."""
        return self._jitter.uniform(low, high)

    def name(self) -> str:
        """A short random name, for a process."""
        return self._source(6).hex()


@lru_cache(maxsize=1)
def _time_of(milliseconds: int) -> str:
    """What ids of this millisecond begin with."""
    digits = f"{milliseconds:012x}"
    return f"{digits[:8]}-{digits[8:]}"

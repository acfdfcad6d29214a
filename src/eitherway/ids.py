"""Ids and randomness as constructor arguments."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache
from random import Random

_POOL_BYTES = 640
_VARIANTS = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))


class Randomness:
    """Job ids and jitter from one source; the system's by default, seeded in tests."""

    def __init__(self, seed: int | None = None) -> None:
        self._jitter = Random(seed)  # noqa: S311 - jitter, not secrets
        self._source: Callable[[int], bytes] = (
            os.urandom if seed is None else self._jitter.randbytes
        )
        self._digits = ""

    def job_id(self, now_seconds: float) -> str:
        """A UUIDv7 (RFC 9562): ordered by time, 74 random bits, so it cannot be guessed."""
        if len(self._digits) < 20:  # the system's source costs a call: ask it for many
            self._digits = self._source(_POOL_BYTES).hex()
        tail, self._digits = self._digits[:20], self._digits[20:]
        time = _time_of(int(now_seconds * 1000))
        return f"{time}-7{tail[1:4]}-{_VARIANTS[tail[4]]}{tail[5:8]}-{tail[8:]}"

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

"""Ids and randomness as constructor arguments."""

from __future__ import annotations

import os
from collections.abc import Callable
from random import Random

_POOL_BYTES = 640


class Randomness:
    """Job ids and jitter from one source; the system's by default, seeded in tests."""

    def __init__(self, seed: int | None = None) -> None:
        self._jitter = Random(seed)  # noqa: S311 - jitter, not secrets
        self._source: Callable[[int], bytes] = (
            os.urandom if seed is None else self._jitter.randbytes
        )
        self._pool = b""

    def job_id(self, now_seconds: float) -> str:
        """A UUIDv7 (RFC 9562): ordered by time, 74 random bits, so it cannot be guessed."""
        tail = bytearray(self._bytes(10))
        tail[0] = 0x70 | tail[0] & 0x0F
        tail[2] = 0x80 | tail[2] & 0x3F
        digits = f"{int(now_seconds * 1000):012x}{tail.hex()}"
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

    def _bytes(self, count: int) -> bytes:
        # The system's source costs a call, and the interpreter's lock, each time: ask for many.
        if len(self._pool) < count:
            self._pool = self._source(_POOL_BYTES)
        taken, self._pool = self._pool[:count], self._pool[count:]
        return taken

    def span_id(self) -> str:
        """16 hexadecimal digits, never all zero (W3C Trace Context). Not secret. Thread-safe."""
        return f"{self._jitter.getrandbits(64) or 1:016x}"

    def uniform(self, low: float, high: float) -> float:
        """A float between `low` and `high`."""
        return self._jitter.uniform(low, high)

    def name(self) -> str:
        """A short random name, for a process."""
        return self._bytes(6).hex()

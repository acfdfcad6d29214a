"""When a callback that failed is tried again."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import parsedate_to_datetime

from ..policy import Retry

ATTEMPTS = 20
BASE_SECONDS = 5.0
CEILING_SECONDS = 12 * 3600.0
RETRY_AFTER_SECONDS_MAX = 24 * 3600.0

_SLOW_DOWN = frozenset({429, 502, 503, 504})
_SLOW_STEPS = 3
_SLOW_SECONDS_MIN = 60.0


def delay_seconds(
    attempt: int,
    uniform: Callable[[float, float], float],
    *,
    status: int | None = None,
    asked_seconds: float = 0.0,
) -> float:
    """How long to wait after the `attempt`-th failure (from 1): never less than was asked for.

    5 s, doubled each time up to 12 h, of which the second half is chance: 20 attempts take two to
    three and a half days. An endpoint that is overloaded has three steps more, and a minute at
    least.
    """
    slow = status in _SLOW_DOWN
    steps = attempt + (_SLOW_STEPS if slow else 0)
    least = _SLOW_SECONDS_MIN if slow else 0.0
    whole = min(CEILING_SECONDS, BASE_SECONDS * 2.0 ** min(steps - 1, 60))
    return max(uniform(whole / 2, whole), least, asked_seconds)


def retry_after_seconds(value: str | None, now: float) -> float:
    """What `Retry-After` asks for (RFC 9110, section 10.2.3), a day at most; 0 where it is none."""
    if value is None:
        return 0.0
    text = value.strip()
    if text.isascii() and text.isdigit():
        seconds = float(text[:10])
    else:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - now
        except (ValueError, OverflowError):
            return 0.0
    return min(max(0.0, seconds), RETRY_AFTER_SECONDS_MAX)


RETRY = Retry(attempts=ATTEMPTS, base_seconds=BASE_SECONDS, ceiling_seconds=CEILING_SECONDS)

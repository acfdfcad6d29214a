"""Policies an operation declares: how it is retried, what limits it. Pure values and functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from .errors import ConfigurationError

Delivery = Literal["direct", "queued"]
"""How a plain request to an operation is served."""


@dataclass(frozen=True)
class Retry:
    """How often a failed attempt is repeated, and after how long.

    `attempts` counts the first one too; delays double from `base_seconds` up to `ceiling_seconds`;
    exceptions of the types in `never` are not retried.
    """

    attempts: int = 5
    base_seconds: float = 1.0
    ceiling_seconds: float = 300.0
    jitter: Literal["full", "none"] = "full"
    never: tuple[type[Exception], ...] = ()

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ConfigurationError(
                "Retry(attempts=...) counts the first attempt too: give 1 or more"
            )
        if self.base_seconds < 0 or self.ceiling_seconds < self.base_seconds:
            raise ConfigurationError("Retry needs 0 <= base_seconds <= ceiling_seconds")
        if self.jitter not in ("full", "none"):
            raise ConfigurationError('Retry(jitter=...) is "full" or "none"')

    def delay_seconds(self, failures: int, uniform: Callable[[float, float], float]) -> float:
        """How long to wait after the `failures`-th failure (from 1).

        Exponential backoff with full jitter: Brooker, "Exponential Backoff And Jitter" (AWS, 2015).
        """
        ceiling = min(self.ceiling_seconds, self.base_seconds * 2.0 ** min(failures - 1, 60))
        return ceiling if self.jitter == "none" else uniform(0.0, ceiling)


@dataclass(frozen=True, eq=False)
class Limit:
    """What the thing behind the handlers can take: attempts at once, starts per second.

    Every operation that names the same `Limit` shares it, over both deliveries. `per_second`
    allows a burst of 5 % of a second's worth, at least 1. Without a name the object counts.
    """

    name: str | None = None
    in_flight: int | None = None
    per_second: float | None = None

    def __post_init__(self) -> None:
        if self.in_flight is None and self.per_second is None:
            raise ConfigurationError("a Limit needs in_flight= or per_second=")
        if self.in_flight is not None and self.in_flight < 1:
            raise ConfigurationError("Limit(in_flight=...) is 1 or more")
        if self.per_second is not None and self.per_second <= 0:
            raise ConfigurationError("Limit(per_second=...) is above 0")

"""Policies an operation declares: how it is retried, what limits it. Pure values and functions."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from .errors import ConfigurationError
from .expect import CHECKED, check_types

Delivery = Literal["direct", "queued", "auto"]
"""How a plain request to an operation is served."""

Accept = Literal["gateway", "function"]
"""Who accepts a queued request on AWS: API Gateway straight into SQS, or a function of ours."""

IdempotencyKey = Literal["optional", "required", "ignored"]
"""What an operation makes of the header `Idempotency-Key`."""


@dataclass(frozen=True)
class Retry:
    """How often a failed attempt is repeated, and after how long.

    `attempts` counts the first one too; delays double from `base_seconds` up to `ceiling_seconds`;
    exceptions of the types in `never` are not retried.
    """

    attempts: int = 5
    base_seconds: float = 1.0
    ceiling_seconds: float = 300.0
    jitter: Literal["full", "none"] = field(default="full", metadata=CHECKED)
    never: tuple[type[Exception], ...] = ()

    def __post_init__(self) -> None:
        check_types(self, "Retry")
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

    Every operation that names the same `Limit` shares it, over both deliveries and all processes.
    `per_second` allows a burst of 5 % of a second's worth, at least 1. With `key`, called with the
    handler's arguments, each key has the limit by itself. `adaptive` learns a pace below these
    numbers from what the database says. `direct_share`, from 0 to 1, is kept for direct calls.
    Without a name the object counts.
    """

    name: str | None = None
    in_flight: int | None = None
    per_second: float | None = None
    key: Callable[..., Any] | None = field(default=None, metadata=CHECKED)
    adaptive: bool = False
    direct_share: float | None = None
    _owner: str = field(default="", init=False, repr=False)

    def __post_init__(self) -> None:
        check_types(self, f"Limit({self.name!r})" if self.name else "Limit")
        if self.in_flight is None and self.per_second is None and not self.adaptive:
            raise ConfigurationError("a Limit needs in_flight=, per_second= or adaptive=True")
        if self.in_flight is not None and self.in_flight < 1:
            raise ConfigurationError("Limit(in_flight=...) is 1 or more")
        if self.per_second is not None and not 0 < self.per_second < math.inf:
            raise ConfigurationError("Limit(per_second=...) is above 0")
        if self.name is not None and not re.fullmatch(r"[\w.:+-]{1,100}", self.name):
            raise ConfigurationError(
                f"Limit({self.name!r}): a name of letters, digits, '-', '_', '.' and ':'"
            )
        if self.key is not None and not callable(self.key):
            raise ConfigurationError(
                "Limit(key=...) is a function, such as lambda order: order.customer_id"
            )
        if self.key is not None and self.adaptive:
            raise ConfigurationError("a Limit learns one pace, not one a key: leave key= out")
        self._check_share()

    def _check_share(self) -> None:
        if self.direct_share is None:
            return
        if not 0 < self.direct_share < 1:
            raise ConfigurationError("Limit(direct_share=...) is a part: above 0, below 1")
        if self.in_flight is not None and self.reserved in (0, self.in_flight):
            raise ConfigurationError(
                f"Limit(direct_share={self.direct_share:g}) of in_flight={self.in_flight} leaves "
                "one of the deliveries nothing: give a larger in_flight"
            )

    @property
    def label(self) -> str:
        """What it counts under: its name, or that of the operation it was first given to."""
        return self.name or self._owner

    def given_to(self, owner: str) -> None:
        """Note whose it is; the first one counts."""
        if not self._owner:
            object.__setattr__(self, "_owner", owner)

    @property
    def reserved(self) -> int:
        """How many of the attempts at once are kept for direct calls."""
        return round((self.in_flight or 0) * (self.direct_share or 0.0))

    @property
    def burst(self) -> float:
        """How many starts may be saved up."""
        return burst_of(self.per_second)


def burst_of(per_second: float | None) -> float:
    """How many starts a rate may save up: 5 % of a second's worth, at least 1."""
    return max(1.0, (per_second or 0.0) * 0.05)

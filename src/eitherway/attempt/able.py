"""Whether an engine can hold what an operation declares: asked before anything is open."""

from __future__ import annotations

from collections.abc import Iterator

from ..engine.capabilities import Capabilities
from ..errors import ConfigurationError
from ..operation import Operation


def check_able(able: Capabilities, operation: Operation) -> None:
    """`ConfigurationError`, one line, for the first thing that the engine cannot hold."""
    for what in _beyond(able, operation):
        raise ConfigurationError(f"{operation.name}: this engine {what}")


def _beyond(able: Capabilities, operation: Operation) -> Iterator[str]:
    longest, asked = able.delay_seconds_max, operation.retry.ceiling_seconds
    if asked > longest:
        yield (
            f"delays a job by {longest:g} s at most, Retry(ceiling_seconds={asked:g}) asks for more"
        )
    if operation.group is not None and not able.lanes:
        yield "keeps no order among jobs: leave group= out, or use another engine"
    for limit in operation.limits:
        if limit.key is not None and not able.limit_keys:
            yield f"holds no limit for each key: leave key= of {limit.label!r} out"
        if limit.in_flight is not None and limit.in_flight < able.in_flight_min:
            yield (
                f"cannot hold fewer than {able.in_flight_min} at once, and {limit.label!r} is "
                f"in_flight={limit.in_flight}: give a larger one"
            )

"""When a job from Python is due: `delay_seconds` and `at` of `enqueue`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from ..engine.values import NewJob
from ..errors import InvalidInputError
from ..operation import Operation

_NAMES = ("delay_seconds", "at")


def split(
    operation: Operation, kwargs: Mapping[str, Any]
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """What a call says of the job's time, and the handler's own arguments.

    A parameter of the handler that is called like one of ours is the handler's.
    """
    own = {parameter.name for parameter in operation.binding.parameters}
    timing = {name: kwargs[name] for name in _NAMES if name in kwargs and name not in own}
    if not timing:
        return timing, kwargs
    return timing, {name: value for name, value in kwargs.items() if name not in timing}


def scheduled(job: NewJob, timing: Mapping[str, Any], delay_seconds_max: float) -> NewJob:
    """The job, due when `timing` says. `InvalidInputError`."""
    if len(timing) > 1:
        raise InvalidInputError("a job is due at one time: give delay_seconds= or at=, not both")
    if "at" in timing:
        delay = max(0.0, _timestamp(timing["at"]) - job.created)
    else:
        delay = _delay(timing["delay_seconds"])
    if delay > delay_seconds_max:
        raise InvalidInputError(
            f"this engine delays a job by {delay_seconds_max:g} s at most: choose an earlier time"
        )
    due = job.created + delay
    if due >= job.deadline:
        raise InvalidInputError(
            f"the job would be due {delay:g} s from now, and its deadline is "
            f"{job.deadline - job.created:g} s from now: choose an earlier time, or raise "
            f"deadline_seconds of {job.operation}"
        )
    return replace(job, due=due)


def _delay(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise InvalidInputError("delay_seconds= is a number of seconds: give one from 0 on")
    return value  # an int may be too large for a float, and is compared before it is added


def _timestamp(value: Any) -> float:
    if not isinstance(value, datetime):
        raise InvalidInputError("at= is a datetime with a time zone: give one with tzinfo=UTC")
    if value.utcoffset() is None:
        raise InvalidInputError(
            f"at={value.isoformat()} could be anywhere on earth: give it a time zone, "
            "such as tzinfo=UTC"
        )
    return value.timestamp()

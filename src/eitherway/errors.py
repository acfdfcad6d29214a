"""The error tree: what can go wrong around your handlers.

    EitherwayError
    ├── ConfigurationError        the app, a setting or a URL is wrong; the text says what to do
    ├── InvalidInputError         a payload does not fit the operation; `errors` lists where
    │   └── MalformedInputError   a payload is not even JSON
    ├── TransitionError           a job cannot go from one state to the other
    ├── UnknownJobError           no job has this id
    ├── UnknownOperationError     no operation has this name
    ├── UnknownKeyError           no API key has this id
    ├── BacklogFullError          too many jobs of the operation wait; nothing was stored
    ├── CanaryError               the job sent ahead of a redrive did not succeed
    ├── LifespanError             what opens with the app could not be opened
    ├── JobFailedError            `Job.result()` of a job that failed; `problem` says why
    └── EngineError               the engine could not do it; `retryable` says whether to try again
        └── EngineUnavailableError  for now: disk full, locked, unreachable (retryable)

What a handler raises on purpose (`Reject`, `RetryLater`, ...) is no error: see `signals`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class EitherwayError(Exception):
    """Root of every error that eitherway raises."""


class ConfigurationError(EitherwayError):
    """The app, a setting or a URL is wrong; the message is one line that says what to do."""


class InvalidInputError(EitherwayError):
    """A payload does not fit its operation; `errors` holds `{"pointer", "detail"}` mappings."""

    def __init__(self, detail: str, errors: Sequence[Mapping[str, str]] = ()) -> None:
        super().__init__(detail)
        self.errors = tuple(errors)


class MalformedInputError(InvalidInputError):
    """A payload is not JSON at all."""


class TransitionError(EitherwayError):
    """A job was asked to go where its state does not lead."""


class UnknownJobError(EitherwayError):
    """No job has this id: it never existed, or its retention is over."""


class UnknownOperationError(EitherwayError):
    """No operation has this name: neither in the app nor, with jobs, in the store."""


class UnknownKeyError(EitherwayError):
    """No API key has this id."""


class BacklogFullError(EitherwayError):
    """As many jobs of the operation wait as `backlog_max` allows; nothing was stored.

    `retry_after_seconds` is when to try again.
    """

    def __init__(self, detail: str, retry_after_seconds: float) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class CanaryError(EitherwayError):
    """The job that was sent ahead of a redrive did not succeed; the others were left alone."""


class LifespanError(EitherwayError):
    """What opens with the app (its lifespan, a mounted application's) could not be opened."""


class JobFailedError(EitherwayError):
    """The job failed; `problem` is its RFC 9457 problem, `kind` the cause."""

    def __init__(self, problem: Mapping[str, Any], kind: str | None) -> None:
        super().__init__(f"{kind}: {problem.get('detail') or problem.get('title')}")
        self.problem = dict(problem)
        self.kind = kind


class EngineError(EitherwayError):
    """The engine could not do it; trying again will not help."""

    retryable = False


class EngineUnavailableError(EngineError):
    """The engine cannot do it now (disk full, store unreachable); nothing was stored."""

    retryable = True

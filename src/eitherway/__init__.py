"""Write the typed operation once; serve it either way: request-response or event-driven."""

from importlib.metadata import version

from .app import App
from .context import Context
from .dependencies import Depends
from .errors import (
    BacklogFullError,
    ConfigurationError,
    EitherwayError,
    EngineError,
    EngineUnavailableError,
    InvalidInputError,
    JobFailedError,
    LifespanError,
    MalformedInputError,
    TransitionError,
    UnknownJobError,
)
from .handle import Job
from .job import JobState
from .policy import Limit, Retry
from .router import Router
from .signals import Conflict, NotFound, Reject, RetryLater, Throttled
from .table import Table

__version__ = version("eitherway")

__all__ = [
    "App",
    "BacklogFullError",
    "ConfigurationError",
    "Conflict",
    "Context",
    "Depends",
    "EitherwayError",
    "EngineError",
    "EngineUnavailableError",
    "InvalidInputError",
    "Job",
    "JobFailedError",
    "JobState",
    "LifespanError",
    "Limit",
    "MalformedInputError",
    "NotFound",
    "Reject",
    "Retry",
    "RetryLater",
    "Router",
    "Table",
    "Throttled",
    "TransitionError",
    "UnknownJobError",
]

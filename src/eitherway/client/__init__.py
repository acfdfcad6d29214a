"""Calls operations from Python, whichever way they are served. The extra `[client]`."""

from . import requires as requires
from .client import AsyncClient
from .errors import (
    ClientError,
    JobCanceledError,
    JobFailedError,
    NoAnswerError,
    ProblemError,
    UnexpectedResultError,
)
from .events import Event
from .job import AsyncJob
from .options import Options
from .plain import Client, Job

__all__ = [
    "AsyncClient",
    "AsyncJob",
    "Client",
    "ClientError",
    "Event",
    "Job",
    "JobCanceledError",
    "JobFailedError",
    "NoAnswerError",
    "Options",
    "ProblemError",
    "UnexpectedResultError",
]

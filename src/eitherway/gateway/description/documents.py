"""The gateway's own documents as types: the job, a problem, an event, and what followers say.

What is written is written elsewhere, byte by byte; tests hold it against these.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Union

from pydantic import BaseModel, Field

from ...engine.capabilities import Durability
from ...job import FailureKind, JobState, Outcome


class WrongValue(BaseModel):
    """One value that does not fit."""

    pointer: Annotated[
        str,
        Field(description="JSON Pointer (RFC 6901) into the body, or `/` and a parameter's name"),
    ]
    detail: str


class Problem(BaseModel):
    """A refusal or failure (RFC 9457). `type` leads to a page that says what it means."""

    type: Annotated[str, Field(json_schema_extra={"format": "uri-reference"})] = "about:blank"
    title: str = ""
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str = ""
    errors: list[WrongValue] = []


class JobError(Problem):
    """Why a job failed."""

    kind: FailureKind


class Attempt(BaseModel):
    """One start of the handler."""

    number: Annotated[int, Field(ge=1)]
    outcome: Outcome | None = Field(description="null while it runs")
    error: Problem | None
    started: datetime
    finished: datetime | None


class Progress(BaseModel):
    """What the handler told last of how far it is."""

    fraction: float
    note: str | None


class JobLinks(BaseModel):
    """Absolute URLs."""

    self: str
    result: str
    cancel: str = Field(description="for DELETE")
    events: str


class Job(BaseModel):
    """A stored request, and what became of it."""

    id: str = Field(description="a UUIDv7; who knows it may see the job")
    operation: str
    status: JobState
    done: bool = Field(description="whether it has succeeded, failed or been canceled")
    created: datetime
    started: datetime | None
    updated: datetime
    finished: datetime | None
    expires: datetime | None = Field(description="until when it is shown")
    deadline: datetime
    attempt: int = Field(ge=0, description="attempts counted so far, the running one included")
    attempts_max: int = Field(ge=1)
    attempts: list[Attempt]
    durability: Durability = Field(description="what the stored job survives")
    ahead: int | None = Field(description="how many jobs of the operation wait before it")
    eta_seconds: float | None
    progress: Progress | None
    links: JobLinks
    result: Any = Field(default=None, description="of a job that succeeded")
    error: JobError | None = Field(default=None, description="of a job that failed")


class Event(BaseModel):
    """A CloudEvent (1.0): something happened to a job."""

    specversion: Literal["1.0"]
    id: str = Field(min_length=1, description="the same each time the event is sent")
    source: str = Field(min_length=1, json_schema_extra={"format": "uri-reference"})
    type: str = Field(min_length=1)
    subject: str = Field(description="the job's id")
    time: datetime
    sequence: str = Field(pattern="^[0-9]+$", description="number of the event within its job")
    datacontenttype: Literal["application/json"]
    cursor: str = Field(default="", description="where to go on after this event")
    data: Job


class Subscribe(BaseModel):
    """Follow these jobs too."""

    subscribe: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(min_length=1)
    after: str | None = Field(default=None, description="a cursor: only what came after it")


class Unsubscribe(BaseModel):
    """Follow these jobs no more."""

    unsubscribe: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(min_length=1)


OWN = Union[Problem, Job, Event, Subscribe, Unsubscribe]  # noqa: UP007 - a value
"""All of them, for one set of schemas."""

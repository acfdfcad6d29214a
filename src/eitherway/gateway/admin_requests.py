"""What operators may ask under `/admin`: queries and bodies, read and checked."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import from_json

from ..attempt.dead import Selection
from ..attempt.redrive import CANARY_SECONDS
from ..engine.listing import JobFilter
from ..errors import InvalidInputError, MalformedInputError
from ..job import JobState
from ..mistakes import location_errors
from ..problem import Problem
from .routes import Request
from .wire import RefusedError, json_type, query

T = TypeVar("T", bound=BaseModel)

_OVERHEAD_BYTES = 65_536  # of a body: what stands around an edited payload, or a list of ids
_Words = Annotated[list[str], BeforeValidator(lambda text: text.split(","))]
_STATES = TypeAdapter(list[JobState])


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Page(_Closed):
    """Which page of a list of jobs."""

    operation: _Words | None = None
    status: _Words | None = None
    cause: str | None = None
    cursor: str | None = None
    count: int = Field(50, ge=1, le=500)

    def filter(self, *, dead: bool) -> JobFilter:
        """Which jobs. `InvalidInputError`."""
        try:
            states = None if self.status is None else _STATES.validate_python(self.status)
        except ValidationError:
            raise invalid("/status", f"give some of {', '.join(JobState)}") from None
        return JobFilter(operations=self.operation, states=states, dead=dead, cause=self.cause)


class Chosen(_Closed):
    """Which dead letters are meant."""

    ids: list[str] | None = None
    operation: str | None = None
    cause: str | None = None

    def selection(self) -> Selection:
        """The same. `InvalidInputError` where nothing is chosen."""
        return Selection(ids=self.ids, operation=self.operation, cause=self.cause)


class RedriveWish(Chosen):
    """How to send them again."""

    per_second: float | None = Field(None, gt=0, allow_inf_nan=False)
    canary: bool = False
    canary_seconds: float = Field(CANARY_SECONDS, gt=0, le=3_600)
    payload: Any = None

    @property
    def edits(self) -> bool:
        """Whether there is a payload, be it null."""
        return "payload" in self.model_fields_set


class Named(_Closed):
    """One operation."""

    operation: str


def page_of(request: Request) -> Page:
    """The page that a query asks for. `InvalidInputError`."""
    return _validated(Page, query(request.scope))


async def body_of(request: Request, model: type[T], payload_bytes_max: int) -> T:
    """A JSON body. `RefusedError` for another media type: a form of a foreign page is none."""
    if not json_type(request.first.get(b"content-type")):
        problem = Problem.of("unsupported-media-type", "send JSON, as application/json")
        raise RefusedError(problem, [(b"accept", b"application/json")])
    raw = await request.body(payload_bytes_max + _OVERHEAD_BYTES)
    try:
        value = from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        raise MalformedInputError(str(error)) from None
    return _validated(model, value)


def invalid(pointer: str, detail: str) -> InvalidInputError:
    """One wrong place."""
    return InvalidInputError("the request does not fit", [{"pointer": pointer, "detail": detail}])


def _validated(model: type[T], value: Any) -> T:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise InvalidInputError("the request does not fit", location_errors(error)) from None

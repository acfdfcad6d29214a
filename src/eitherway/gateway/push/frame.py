"""What a client may say on a WebSocket."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

_ID_LENGTH_MAX = 200
_JobIds = list[Annotated[str, Field(min_length=1, max_length=_ID_LENGTH_MAX)]]

EXPECTED = 'send {"subscribe": [...], "after": ...}, "unsubscribe" or {"ping": true}'


class Frame(BaseModel):
    """Jobs to follow, from a cursor on or as they are now, and jobs to follow no more.

    A ping is not answered: it keeps a connection from being idle, where its frames alone do not.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    subscribe: _JobIds = []
    unsubscribe: _JobIds = []
    after: str | None = None
    ping: bool = False


def frame_of(text: str) -> Frame | None:
    """The frame in a message; None where it is none, or says nothing."""
    try:
        frame = Frame.model_validate_json(text)
    except ValidationError:
        return None
    return frame if frame.subscribe or frame.unsubscribe or frame.ping else None

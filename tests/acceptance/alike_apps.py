"""One handler of a rich type, served in every delivery: what one answers, the others answer."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from uuid import UUID

from pydantic import BaseModel, Field

from eitherway import App, Limit, Reject, Retry

app = App("alike")


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Part(BaseModel):
    name: str
    weight: float
    price: Decimal
    made: datetime
    children: list[Part] = []


class Whole(BaseModel):
    id: UUID
    title: str = Field(alias="Title")
    count: int
    ratio: float | None
    total: Decimal
    on: date
    at: time
    lasts: timedelta
    colour: Colour
    tags: dict[str, list[int | str | None]]
    parts: list[Part]
    maybe: Part | None = None
    either: int | list[bool] | str


class Answer(BaseModel):
    whole: Whole
    depth: int
    mean: float | None
    seen: datetime


def depth(parts: list[Part]) -> int:
    return 1 + max((depth(part.children) for part in parts), default=0)


async def work(whole: Whole, factor: float = 1.0) -> Answer:
    """Depends on its input alone; refuses some."""
    if whole.count % 7 == 0:
        raise Reject(f"no {whole.title}", status=409)
    weights = [part.weight * factor for part in whole.parts]
    mean = sum(weights) / len(weights) if weights else None
    seen = datetime(2026, 1, 1, tzinfo=UTC) + whole.lasts
    return Answer(whole=whole, depth=depth(whole.parts), mean=mean, seen=seen)


many = Limit(in_flight=1_000)
once = Retry(attempts=1)
app.post("/direct", name="direct", status=201, limit=many)(work)
app.post("/queued", name="queued", status=201, delivery="queued", limit=many, retry=once)(work)
app.post("/auto", name="auto", status=201, delivery="auto", limit=many, retry=once)(work)

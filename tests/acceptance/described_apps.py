"""An app with an operation of every kind, and of every type that is hard to describe."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, Field, InstanceOf, computed_field
from typing_extensions import TypedDict

from eitherway import App, Conflict, Context, Limit, NotFound, Retry, Router

T = TypeVar("T")

app = App("described")
things = app.table("things", dict, key="key")


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Size(IntEnum):
    SMALL = 1
    LARGE = 2


class Thing(BaseModel):
    """Something with a key."""

    key: str = Field(min_length=1, max_length=40)
    count: int = Field(default=1, ge=0, le=1000)
    price: float = 0
    colour: Colour = Colour.RED
    size: Size | None = None
    tags: list[str] = []
    label: str | None = Field(default=None, alias="a-label")


class Money(BaseModel):
    amount: Decimal
    paid: datetime | None = None
    day: date
    within: timedelta | None = None
    reference: UUID
    seal: bytes = b""

    @computed_field
    @property
    def is_paid(self) -> bool:
        return self.paid is not None


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"]
    good: bool = True


class Tree(BaseModel):
    name: str
    children: list["Tree"] = []


class Page(BaseModel, Generic[T]):
    items: list[T]
    total: int = 0


@dataclass
class Point:
    x: float
    y: float = 0


class Options(TypedDict, total=False):
    verbose: bool
    depth: int


class Handle:
    """A type that JSON knows nothing of."""


class Odd(BaseModel):
    handle: InstanceOf[Handle] | None = None
    name: str


class Job(BaseModel):
    """The user's own, of a name that the gateway has too."""

    salary: int


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


@app.post("/things", status=201)
async def make_thing(thing: Thing) -> Thing:
    """Keep a thing.

    One that is there already is replaced.
    """
    await things.put(thing.model_dump(mode="json"))
    return thing


@app.get("/things/{key}")
async def read_thing(key: str, verbose: bool = False) -> dict:
    """Read a thing."""
    return await things.get(key)


@app.put("/things/{name}", delivery="queued", status=202)
async def replace_thing(name: str, thing: Thing, ctx: Context) -> Thing:
    """Replace a thing, later: result and receipt have the same status."""
    await things.put({**thing.model_dump(mode="json"), "key": name})
    return thing


@app.delete("/things/{key}", status=204)
async def delete_thing(key: str) -> None:
    """Forget a thing."""
    await things.delete(key)


@app.patch("/things/{key}", delivery="auto", wait_seconds=5)
async def change_thing(key: str, changes: Options, depth: int = 3) -> Options:
    """Change a thing, either way."""
    await things.get(key)
    return changes


@app.post("/queued/{number:int}", delivery="queued", idempotency_key="required")
async def queue_number(number: int, colour: Colour = Colour.BLUE, since: date | None = None) -> int:
    """Queue a number."""
    return number


@app.post("/auto", delivery="auto", limit=Limit(in_flight=2))
async def either_way(pet: Pet) -> Cat | Dog:
    """A pet, either way."""
    return pet


@app.post("/batched", delivery="queued", batch_max=10, batch_wait_seconds=0.01)
async def in_batches(rows: list[Point]) -> list[Point | Exception]:
    """One row; the handler gets several."""
    return list(rows)


@app.post(
    "/ignored", idempotency_key="ignored", limit=Limit(in_flight=9, key=lambda tree: tree.name)
)
async def without_keys(tree: Tree) -> Page[Tree]:
    """A tree in a page."""
    return Page(items=[tree])


@app.post("/refusals", delivery="queued", retry=Retry(attempts=2, base_seconds=0.01))
async def refuse(thing: Thing) -> str:
    """Answer in every way that is no mistake of the caller's."""
    match thing.count % 4:
        case 0:
            raise NotFound
        case 1:
            raise Conflict
    return thing.key


@app.post("/money")
async def pay(money: Money) -> Money:
    return money


@app.post("/anything")
async def anything(value: Any = None) -> Any:
    return value


@app.post("/mapping")
async def mapping(value: dict[str, int]) -> dict[str, int]:
    return value


@app.post("/list")
async def a_list(values: list[int | str]) -> Sequence[int | str]:
    return values


@app.post("/odd")
async def odd(value: Odd) -> str:
    return value.name


@app.post("/untyped")
async def untyped(value: dict, flag: bool = True, ratio: float = 0.5):
    return value


@app.post("/jobs-of-mine")
async def own_job(job: Job) -> Job:
    return job


@app.get("/scalars")
async def scalars(  # noqa: PLR0917
    day: date | None = None,
    at: datetime | None = None,
    amount: Decimal = Decimal("1.5"),
    colour: Colour = Colour.RED,
    size: Size = Size.SMALL,
    reference: UUID | None = None,
    wait: timedelta = timedelta(seconds=1),
    sort: Literal["up", "down"] = "up",
    level: Literal[1, 2] = 1,
    raw: bytes = b"",
) -> str:
    return sort


@app.operation(delivery="queued")
async def from_python(thing: Thing) -> None:
    """Reached from Python alone."""


included = Router()


@included.get("/shelves/{shelf}/things/{path:path}")
async def find_thing(shelf: int, path: str) -> str:
    return path


app.include(included, prefix="/v2")

"""What fits a type: of a request strictly, of a stored message as Pydantic does."""

import tracemalloc
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import IntEnum
from typing import Any, Literal
from uuid import UUID

import pytest
from pydantic import BaseModel

from eitherway import App, InvalidInputError, MalformedInputError
from eitherway.codec import Binding


class Size(IntEnum):
    SMALL = 1


class Thing(BaseModel):
    count: int = 0
    price: float = 0
    flag: bool = False
    size: Size = Size.SMALL
    amount: Decimal = Decimal(0)
    day: date | None = None
    at: datetime | None = None
    within: timedelta | None = None
    reference: UUID | None = None
    anything: Any = None


def take(thing: Thing) -> None: ...


def decode(body, **more):
    return Binding(take, None, takes_body=True).decode(body, {}, **more)["thing"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"count": "1"}',
        b'{"count": true}',
        b'{"count": 1.5}',
        b'{"price": "1"}',
        b'{"price": false}',
        b'{"flag": 1}',
        b'{"flag": "yes"}',
        b'{"size": "1"}',
        b'{"day": 0}',
        b'{"within": 5}',
    ],
)
def test_a_request_is_what_its_schema_says(body):
    """ERR-2: 422. What was stored once is read all the same, 1.5 as a whole number aside."""
    with pytest.raises(InvalidInputError):
        decode(body)
    if b"1.5" not in body:
        decode(body, strict=False)


@pytest.mark.parametrize("strict", [True, False])
def test_what_json_has_no_type_for_comes_as_strings(strict):
    """Dates, decimals, UUIDs."""
    thing = decode(
        b'{"amount": "1.5", "day": "2026-01-02", "at": "2026-01-02T03:04:05Z", "within": "PT5S",'
        b'"reference": "e3e70682-c209-4cac-a29f-6fbed82c07cd", "size": 1}',
        strict=strict,
    )
    assert thing.amount == Decimal("1.5")
    assert thing.within == timedelta(seconds=5)


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    ("body", "count"),
    [(b'{"count": 17.0}', 17), (b'{"count": 1.7e1}', 17), (b'{"count":1e30}', 10**30)],
)
def test_a_whole_number_may_have_a_fraction_of_nothing(body, count, strict):
    """ERR-2: JSON Schema counts 17.0 as an integer."""
    assert decode(body, strict=strict).count == count
    exact = decode(
        b'{"count": 1.0, "amount": 0.1, "anything": "a \\" 1.0"}',
        strict=strict,
    )
    assert (exact.count, exact.anything) == (1, 'a " 1.0')
    assert exact.amount == Decimal("0.1")


def test_a_number_of_a_billion_digits_is_not_written_out():
    """It is refused as it is."""
    with pytest.raises(InvalidInputError):
        decode(b'{"count": 1e999999999}')


@pytest.mark.parametrize(
    "body", [b'{"price": NaN}', b"{", b"[" * 100_000, b'{"anything": -Infinity}']
)
def test_what_is_no_json_is_malformed(body):
    """ERR-2: 400, also when it is nested too deeply."""
    with pytest.raises(MalformedInputError):
        decode(body)


def query(
    level: Literal[1, 2] = 1, day: date | None = None, ratio: float = 0, text: str = "", n: int = 0
) -> None: ...


def test_a_choice_of_numbers_can_be_asked_for():
    """A query has strings alone."""
    binding = Binding(query, None, takes_body=False)
    assert binding.decode(b"", {"level": "2"}) == {"level": 2}
    assert binding.decode(b"", {"text": "2"}) == {"text": "2"}
    assert binding.decode(b"", {"n": "17.0"}) == {"n": 17}
    for wrong in ({"level": "3"}, {"level": "x"}, {"n": "1.5"}):
        with pytest.raises(InvalidInputError):
            binding.decode(b"", wrong)


@pytest.mark.parametrize(("name", "value"), [("day", "0"), ("ratio", "nan"), ("ratio", "-inf")])
def test_a_parameter_is_what_its_schema_says(name, value):
    """No number of seconds for a date, and none for nothing; but stored ones are read."""
    binding = Binding(query, None, takes_body=False)
    with pytest.raises(InvalidInputError) as caught:
        binding.decode(b"", {name: value})
    assert caught.value.errors[0]["pointer"] == f"/{name}"
    binding.decode(b"", {name: value}, strict=False)


async def test_a_key_that_can_be_none_is_the_callers_mistake(test_app):
    """422 in either delivery, and no dead letter: not a 500 that is tried again."""
    app = App("keys")
    things = app.table("things", dict, key="key")

    @app.post("/things/{way}", name="put")
    async def put(way: str, thing: dict) -> None:
        await things.put(thing)

    @app.get("/things/{key}")
    async def read(key: str) -> dict:
        return await things.get(key)

    async with test_app(app) as shop:
        for answer in (
            await shop.request("POST", "/things/x", json={"key": ""}),
            await shop.request("GET", f"/things/{'x' * 2000}"),
        ):
            assert (answer.status, answer.json()["type"]) == (422, "/problems/rejected")
            assert "1 to 1024 bytes" in answer.json()["detail"]


def test_what_is_wrong_eighty_thousand_times_is_not_listed():
    """To list it takes 50 MB, of which a hostile client may have several at a time."""

    def follow(steps: list[dict[str, int]]) -> None: ...

    binding = Binding(follow, None, takes_body=True)
    payload = b"[" + b",".join([b"0"] * 80_000) + b"]"
    tracemalloc.start()
    try:
        with pytest.raises(InvalidInputError):
            binding.decode(payload, {})
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 20_000_000

"""What a table may hold, and what its items are called."""

import dataclasses
import enum
import uuid
from typing import NamedTuple, NotRequired

import pytest
from pydantic import BaseModel, Field
from pydantic.dataclasses import dataclass as pydantic_dataclass
from typing_extensions import TypedDict

from eitherway import App, ConfigurationError, Conflict, InvalidInputError, NotFound
from eitherway.testing import TestApp


class Named(BaseModel):
    id: str


class Model(Named):
    """Its key is inherited, and its aliases for input and output differ."""

    amount: float = Field(validation_alias="in", serialization_alias="out")


@dataclasses.dataclass
class Identified:
    id: str


@dataclasses.dataclass
class Record(Identified):
    """Its key is inherited, too."""

    count: int = 0


@pydantic_dataclass
class Checked:
    id: uuid.UUID


class Typed(TypedDict):
    id: int
    note: NotRequired[str]


class Row(NamedTuple):
    id: str
    count: int


class Colour(str, enum.Enum):  # noqa: UP042 - str() of it is not its value
    RED = "red"


class Painted(BaseModel):
    id: Colour


class Line(BaseModel):
    order_id: str
    sku: str
    count: int = 1


ITEMS = [
    (Model, Model(**{"id": "k", "in": 1.5}), "k"),
    (Record, Record("k", 2), "k"),
    (Checked, Checked(uuid.UUID(int=7)), str(uuid.UUID(int=7))),
    (Typed, {"id": 7, "note": "n"}, "7"),
    (Typed, {"id": 7}, "7"),
    (Row, Row("k", 1), "k"),
    (Painted, Painted(id=Colour.RED), "red"),
    (dict, {"id": "k", "more": {"deep": [1]}}, "k"),
    (dict[str, int], {"id": 3, "more": 4}, "3"),
]


@pytest.mark.parametrize(("model", "item", "key"), ITEMS)
async def test_what_is_put_is_got_as_it_was(model, item, key):
    """Of every kind of model, by the key's text."""
    app = App("models")
    table = app.table("items", model, key="id")
    async with TestApp(app):
        await table.put(item)
        got = await table.get(key)
        assert (type(got), got) == (type(item), item)
        assert [found async for found in table.query()] == [item]


class Measured(BaseModel):
    weight: float
    flag: bool
    parts: list[str]
    note: str | None = None


class Alone:
    id: str


class Dangling(BaseModel):
    id: str
    part: "Nowhere"  # noqa: F821 - that is the mistake


@pytest.mark.parametrize(
    ("model", "names", "says"),
    [
        (Measured, {"key": "size"}, "no field 'size' among weight, flag, parts, note"),
        (Record, {"key": "size"}, "no field 'size' among id, count"),
        (Typed, {"key": "size"}, "no field 'size' among id, note"),
        (Line, {"key": "sku", "partition": "shop"}, "no field 'shop'"),
        (Line, {"key": "sku", "partition": "sku"}, "different fields"),
        (Measured, {"key": "weight"}, "'weight' is float: a key is text, an integer or a UUID"),
        (Measured, {"key": "flag"}, "'flag' is bool"),
        (Measured, {"key": "parts"}, "'parts' is list"),
        (Measured, {"key": "note", "partition": "weight"}, "'weight' is float"),
        (int, {"key": "id"}, "a table holds models, dataclasses, typed dicts or dict, not"),
        (list[int], {"key": "id"}, "a table holds models"),
        (Alone, {"key": "id"}, "a table holds models"),
        (Dangling, {"key": "id"}, "name 'Nowhere' is not defined"),
        (dict, {"key": "id", "write_capacity": 0}, "write_capacity="),
        (dict, {"key": "id", "write_capacity": float("nan")}, "write_capacity="),
        (dict, {"key": "id", "write_capacity": 5, "write_burst_seconds": -1}, "burst_seconds="),
    ],
)
def test_a_table_that_cannot_work_is_refused_when_declared(model, names, says):
    """In one line that says why."""
    with pytest.raises(ConfigurationError) as refusal:
        App("models").table("items", model, **names)
    assert says in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", ["", "n" * 256, "ä" * 128])
def test_a_tables_name_has_its_length(name):
    """So that it fits beside a partition."""
    with pytest.raises(ConfigurationError, match="1 to 255 bytes"):
        App("models").table(name, dict, key="id")


BAD_KEYS = [
    ("", "1 to 1024 bytes of UTF-8, not 0"),
    ("k" * 1025, "not 1025"),
    ("ä" * 513, "not 1026"),
    ("\ud800", "no UTF-8"),
    (None, "a key is text, an integer or a UUID"),
    (1.5, "a key is text, an integer or a UUID"),
    (True, "a key is text, an integer or a UUID"),
]


@pytest.mark.parametrize(("key", "says"), BAD_KEYS)
async def test_a_key_that_is_none_is_a_value_error(key, says):
    """Whichever call it is given to, and in an item too."""
    app = App("models")
    table = app.table("items", dict, key="id")
    async with TestApp(app):
        for refused in (table.get, table.delete, table.version):
            with pytest.raises(ValueError, match=says):
                await refused(key)
        with pytest.raises(ValueError, match=says):
            await table.put({"id": key})


async def test_keys_and_partitions_may_be_as_long_as_they_say():
    """1024 bytes of one, 1792 of the other."""
    app = App("models")
    lines = app.table("lines", Line, key="sku", partition="order_id")
    async with TestApp(app):
        line = Line(order_id="p" * 1792, sku="k" * 1024)
        await lines.put(line)
        assert await lines.get(line.sku, partition=line.order_id) == line
        with pytest.raises(ValueError, match="a partition has 1 to 1792 bytes"):
            await lines.put(Line(order_id="p" * 1793, sku="k"))
        with pytest.raises(ValueError, match="a partition has 1 to 1792 bytes"):
            await lines.put(Line(order_id="", sku="k"))


@pytest.mark.parametrize("item", [{}, {"id": 1}, {"part": "p"}])
async def test_an_item_without_its_names_is_invalid(item):
    """It does not fit the table, and says which field is not there."""
    app = App("models")
    table = app.table("items", dict, key="id", partition="part")
    async with TestApp(app):
        with pytest.raises(InvalidInputError, match=r"the item has no field '(id|part)'"):
            await table.put(item)


async def test_an_item_that_does_not_fit_says_where():
    """In one line."""
    app = App("models")
    table = app.table("items", Line, key="sku")
    async with TestApp(app):
        with pytest.raises(InvalidInputError) as refusal:
            await table.put({"order_id": "o", "sku": "k", "count": "many"})
        assert str(refusal.value).startswith("table 'items': count: ")
        assert "\n" not in str(refusal.value)


async def test_items_are_unique_within_their_partition():
    """Reads, conditions, deletes and versions are each of one partition."""
    app = App("models")
    lines = app.table("lines", Line, key="sku", partition="order_id")
    async with TestApp(app):
        for order_id in ("o1", "o2"):
            await lines.put(Line(order_id=order_id, sku="k"), if_absent=True)
        with pytest.raises(Conflict):
            await lines.put(Line(order_id="o1", sku="k"), if_absent=True)
        await lines.put(Line(order_id="o1", sku="k", count=5), if_version=1)
        assert (await lines.get("k", partition="o1")).count == 5
        assert await lines.version("k", partition="o2") == 1
        await lines.delete("k", partition="o1", if_version=2)
        with pytest.raises(NotFound):
            await lines.get("k", partition="o1")
        assert (await lines.get("k", None, partition="o2")).count == 1


async def test_a_partition_is_given_where_there_is_one_and_nowhere_else():
    """Every call says so, `sync` ones too."""
    app = App("models")
    lines = app.table("lines", Line, key="sku", partition="order_id")
    whole = app.table("whole", Line, key="sku")

    @app.operation()
    def plainly(table: str, partition: str | None) -> None:
        lines_or_whole = lines if table == "lines" else whole
        for name in ("get", "delete", "version", "query"):
            with pytest.raises(ValueError, match="partition="):
                getattr(lines_or_whole.sync, name)("k", partition=partition)

    async with TestApp(app) as opened:
        for table, wrong in ((lines, None), (whole, "o1")):
            for call in (table.get, table.delete, table.version):
                with pytest.raises(ValueError, match="partition="):
                    await call("k", partition=wrong)
            with pytest.raises(ValueError, match="partition="):
                table.query(partition=wrong)
            await opened.call(plainly, table.name, wrong)

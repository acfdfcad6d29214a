"""JSON Schemas for API Gateway: draft 4, which refuses nothing that the operation takes."""

from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, Union

import pytest
from jsonschema import Draft4Validator
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from eitherway.aws.draft4 import IrreducibleError, reduced
from eitherway.gateway.description.schemas import REF


class Size(Enum):
    SMALL = "s"
    LARGE = "l"


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: Annotated[int, Field(ge=0, lt=10)] = 9


class Dog(BaseModel):
    kind: Literal["dog"]
    name: Annotated[str, Field(min_length=2, pattern="^[A-Z]")]


class Owner(BaseModel):
    model_config = ConfigDict(extra="forbid")

    pets: list[Annotated[Union[Cat, Dog], Field(discriminator="kind")]]  # noqa: UP007 - as users do
    at: tuple[int, str] = (1, "a")
    ratio: Annotated[float, Field(gt=0, le=1)] = 0.5
    size: Size | None = None
    friend: "Owner | None" = None
    since: date | None = None
    money: Decimal | None = None
    anything: Any = None
    tags: dict[str, Annotated[int, Field(multiple_of=5)]] = {}


def schema_of(annotation) -> dict[str, Any]:
    schema = TypeAdapter(annotation).json_schema(ref_template=REF + "{model}")
    return reduced(schema, schema.pop("$defs", {}), REF)


VALID = [
    {"pets": []},
    {"pets": [{"kind": "cat", "lives": 3}, {"kind": "dog", "name": "Rex"}]},
    {"pets": [], "at": [17.0, "x"], "ratio": 1, "size": "s", "anything": [1, {"a": None}]},
    {"pets": [], "friend": {"pets": [{"kind": "cat"}]}, "tags": {"a": 10}, "size": None},
]
INVALID = [
    {},
    {"pets": [{"kind": "cow"}]},
    {"pets": [{"kind": "cat", "lives": 10}]},
    {"pets": [{"kind": "cat", "lives": 1.5}]},
    {"pets": [{"kind": "dog", "name": "R"}]},
    {"pets": [], "at": [1]},
    {"pets": [], "at": [1, "a", 2]},
    {"pets": [], "ratio": 0},
    {"pets": [], "size": "xl"},
    {"pets": [], "friend": {"pets": 1}},
    {"pets": [], "tags": {"a": 7}},
    {"pets": [], "more": 1},
]


def test_it_is_a_schema_of_draft_4_without_a_word_of_later_ones():
    schema = schema_of(Owner)
    Draft4Validator.check_schema(schema)
    text = str(schema)
    assert [
        word for word in ("$defs", "const", "prefixItems", "#/components") if word in text
    ] == []
    assert set(schema["definitions"]) == {"Cat", "Dog", "Owner", "Size"}


@pytest.mark.parametrize("value", VALID, ids=str)
def test_what_the_operation_takes_is_let_in(value):
    TypeAdapter(Owner).validate_json(TypeAdapter(dict).dump_json(value), strict=False)
    assert list(Draft4Validator(schema_of(Owner)).iter_errors(value)) == []


@pytest.mark.parametrize("value", INVALID, ids=str)
def test_what_it_refuses_is_kept_out(value):
    assert list(Draft4Validator(schema_of(Owner)).iter_errors(value)) != []


@pytest.mark.parametrize(
    ("bounds", "made"),
    [
        ({"exclusiveMinimum": 0}, {"minimum": 0, "exclusiveMinimum": True}),
        ({"minimum": 0}, {"minimum": 0}),
        ({"minimum": 1, "exclusiveMinimum": 0}, {"minimum": 1}),
        ({"maximum": 5, "exclusiveMaximum": 5}, {"maximum": 5, "exclusiveMaximum": True}),
    ],
)
def test_exclusive_bounds_become_words_beside_the_bound(bounds, made):
    schema = reduced(bounds, {}, REF)
    schema.pop("$schema")
    assert schema == made


@pytest.mark.parametrize("keyword", ["propertyNames", "if", "contains", "unevaluatedProperties"])
def test_what_draft_4_cannot_say_is_named(keyword):
    with pytest.raises(IrreducibleError, match=keyword):
        reduced({"properties": {"a": {keyword: {}}}}, {}, REF)


@pytest.mark.parametrize(
    ("pattern", "is_kept"),
    [
        (r"^\d{5}(-\w+)?$", True),
        (r"^(?:a|b)(?=c)(?!d)\u00e9\.", True),
        (r"(?i)^abc$", False),
        (r"^(?P<year>\d+)$", False),
        (r"(?<=a)b", False),
        (r"\Aabc\z", False),
        (r"^\p{L}+$", False),
    ],
)
def test_a_pattern_that_other_engines_read_otherwise_is_left_to_the_worker(pattern, is_kept):
    assert ("pattern" in reduced({"type": "string", "pattern": pattern}, {}, REF)) is is_kept


@pytest.mark.parametrize("value", [17, 17.0, None])
def test_one_of_several_types_may_be_a_whole_number(value):
    schema = reduced({"type": ["integer", "null"], "required": []}, {}, REF)
    Draft4Validator.check_schema(schema)
    validator = Draft4Validator(schema)
    assert validator.is_valid(value)
    assert not validator.is_valid(17.5)


def test_names_stay_apart_without_their_odd_characters():
    components = {"Page[int]": {"type": "integer"}, "Page_int_": {"type": "string"}}
    schema = reduced(
        {"anyOf": [{"$ref": f"{REF}Page[int]"}, {"$ref": f"{REF}Page_int_"}]}, components, REF
    )
    assert [one["type"] for one in schema["definitions"].values()] == ["number", "string"]
    assert len(schema["definitions"]) == 2


def test_what_stands_beside_a_reference_counts():
    schema = reduced({"$ref": f"{REF}Size", "minLength": 1}, {"Size": {"enum": ["s"]}}, REF)
    assert schema["allOf"] == [{"$ref": "#/definitions/Size"}]
    assert schema["minLength"] == 1

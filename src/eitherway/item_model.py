"""What a table's items are: their type, and the fields that name them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Generic, TypeVar, get_origin, get_type_hints
from uuid import UUID

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

from .errors import ConfigurationError, InvalidInputError
from .signals import Reject

T = TypeVar("T")

KEY_BYTES_MAX = 1024
"""What DynamoDB takes as a range key."""

PARTITION_BYTES_MAX = 1792
"""What fits DynamoDB's hash key of 2048 bytes beside the table's name."""

TABLE_NAME_BYTES_MAX = 255

_NO_KEYS = (
    bool, float, complex, bytes, list, dict, tuple, set, frozenset, type(None),
    date, time, timedelta, Decimal, BaseModel,
)  # fmt: skip
_A_KEY_IS = "a key is text, an integer or a UUID"


class UnusableKey(Reject, ValueError):  # noqa: N818 - a signal, not an error
    """A text that no key can be. It came from the caller, who is told (422), and is not retried."""


class ItemModel(Generic[T]):
    """Turns items of `T` into a table's bytes and back, and reads their names off them."""

    def __init__(self, table: str, model: type[T], key: str, partition: str | None) -> None:
        if not table or len(table.encode()) > TABLE_NAME_BYTES_MAX:
            raise ConfigurationError(
                f"table {table!r}: a name has 1 to {TABLE_NAME_BYTES_MAX} bytes of UTF-8"
            )
        if key == partition:
            raise ConfigurationError(f"table {table!r}: key and partition are different fields")
        self._table = table
        self._key = key
        self._partition = partition
        try:
            fields = _fields(model)
            self._adapter: TypeAdapter[T] = TypeAdapter(
                dict[str, Any] if model is dict else model  # type: ignore[arg-type]  # `dict` means any JSON object
            )
            self._adapter.rebuild()  # raises where a type is not known (yet)
        except (PydanticUserError, NameError, TypeError) as error:
            reason = str(error).partition("\n")[0]
            raise ConfigurationError(f"table {table!r}: {reason}") from None
        for field in (key, partition):
            if fields is not None and field is not None:
                self._check_field(fields, field)

    def decode(self, value: bytes) -> T:
        """An item as it was put."""
        return self._adapter.validate_json(value, by_alias=True, by_name=True)

    def encode(self, item: T) -> tuple[str, str, bytes]:
        """An item's key, its partition ("" where the table has none) and its bytes.

        `InvalidInputError` where it does not fit the table, `ValueError` where its names do not do.
        """
        try:
            valid = self._adapter.validate_python(item)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(step) for step in first["loc"]) or "the item"
            raise InvalidInputError(f"table {self._table!r}: {where}: {first['msg']}") from None
        key = self.key(self._field(valid, self._key))
        partition = ""
        if self._partition is not None:
            partition = self.partition(self._field(valid, self._partition))
        return key, partition, self._adapter.dump_json(valid, by_alias=False, round_trip=True)

    def key(self, value: object) -> str:
        """A key as text. `ValueError` if it is none."""
        return self._name("key", value, KEY_BYTES_MAX)

    def partition(self, value: object) -> str:
        """A partition as text; None where the table has none. `ValueError` if it is none."""
        if value is None and self._partition is None:
            return ""
        if self._partition is None:
            raise ValueError(f"table {self._table!r} has no partition: leave out partition=")
        if value is None:
            raise ValueError(
                f"table {self._table!r} has a partition, {self._partition!r}: give partition="
            )
        return self._name("partition", value, PARTITION_BYTES_MAX)

    def _name(self, what: str, value: object, bytes_max: int) -> str:
        text = _text(value)
        if text is None:
            raise ValueError(f"table {self._table!r}: {what} {value!r}: {_A_KEY_IS}")
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            raise UnusableKey(f"table {self._table!r}: {what} {text!r} is no UTF-8") from None
        if not 1 <= size <= bytes_max:
            raise UnusableKey(
                f"table {self._table!r}: a {what} has 1 to {bytes_max} bytes of UTF-8, not {size}"
            )
        return text

    def _field(self, item: Any, field: str) -> object:
        if not isinstance(item, dict):
            return getattr(item, field)
        if field not in item:
            raise InvalidInputError(f"table {self._table!r}: the item has no field {field!r}")
        return item[field]

    def _check_field(self, fields: Mapping[str, Any], field: str) -> None:
        if field not in fields:
            raise ConfigurationError(
                f"table {self._table!r}: no field {field!r} among {', '.join(fields)}"
            )
        kind = get_origin(fields[field]) or fields[field]
        if isinstance(kind, type) and issubclass(kind, _NO_KEYS):
            raise ConfigurationError(
                f"table {self._table!r}: {field!r} is {kind.__name__}: {_A_KEY_IS}"
            )


def _fields(model: Any) -> Mapping[str, Any] | None:
    """A model's fields and their types; None where any will do."""
    if (get_origin(model) or model) is dict:
        return None
    if isinstance(model, type) and issubclass(model, BaseModel):
        return {name: field.annotation for name, field in model.model_fields.items()}
    if dataclasses.is_dataclass(model) or hasattr(model, "__total__") or hasattr(model, "_fields"):
        return get_type_hints(model)
    raise TypeError(f"a table holds models, dataclasses, typed dicts or dict, not {model!r}")


def _text(value: object) -> str | None:
    if type(value) is str:
        return value
    value = value.value if isinstance(value, Enum) else value
    is_name = isinstance(value, str | int | UUID) and not isinstance(value, bool)
    return str(value) if is_name else None

"""How values are read: JSON as JSON Schema understands it, parameters as the strings that they are.

A request is read strictly, so that what the published schemas refuse is refused: a string is no
number, and `true` is no 1. What was stored is read in the same way, so that a handler gets the same
values in either delivery; what an older version stored, and does not fit so, as Pydantic does.
"""

from __future__ import annotations

import json
import math
import re
from datetime import date
from decimal import Decimal
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from .errors import MalformedInputError
from .mistakes import found_in, location_errors

_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]*)?")
_STRING_OR_NUMBER = re.compile(
    rb'"(?:[^"\\]++|\\.)*+"|-?[0-9]++(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+', re.DOTALL
)
_HAS_FRACTION = re.compile(rb"[0-9][.eE]")
_DIGITS_MAX = 308
"""As many as a float may have before its point."""


def read_again(
    adapter: TypeAdapter[Any],
    payload: bytes,
    unfit: ValidationError,
    errors: list[dict[str, str]],
    *,
    strict: bool,
) -> Any:
    """The value of JSON that was found unfit, with `17.0` as `17`; what is wrong is added.

    JSON Schema has one kind of whole numbers. `MalformedInputError` where it is no JSON.
    """
    found = found_in(unfit)
    if found and found[0]["type"] == "json_invalid":
        raise MalformedInputError(found[0]["msg"]) from None
    if found and _HAS_FRACTION.search(payload):
        whole = _STRING_OR_NUMBER.sub(_whole, payload)
        try:
            return adapter.validator.validate_json(whole, strict=strict or None)
        except ValidationError as error:
            unfit, found = error, found_in(error)
    errors.extend(location_errors(unfit, found))
    return None


def read_parameter(adapter: TypeAdapter[Any], value: Any, *, strict: bool) -> Any:
    """The value of a path or query parameter, which is a string unless Python gave it.

    `ValidationError`. Strictly, a number is no date, and a float is finite.
    """
    try:
        found = adapter.validate_python(value)
    except ValidationError:
        number = _number(value)
        if number is None:
            raise
        return adapter.validate_python(number, strict=True)  # a choice of numbers
    if strict:
        if isinstance(found, date) and _number(value) is not None:
            raise _unfit(value, "date", "Input should be a date or time as RFC 3339 writes it")
        if isinstance(found, float) and not math.isfinite(found):
            raise _unfit(value, "number", "Input should be a finite number")
    return found


def _whole(token: re.Match[bytes]) -> bytes:
    """A whole number without its fraction or exponent; any other token as it is."""
    text = token[0]
    if text.startswith(b'"') or not _HAS_FRACTION.search(text):
        return text
    number = Decimal(text.decode())
    whole = number.adjusted() <= _DIGITS_MAX and number == number.to_integral_value()
    if number.is_zero() and number.is_signed():  # a float may be -0.0, and an integer may not
        return text
    return str(int(number)).encode() if whole else text


def _number(value: Any) -> int | float | None:
    if not isinstance(value, str) or not _NUMBER.fullmatch(value):
        return None
    number = float(value)
    return int(value) if value.lstrip("+-").isdigit() else number


def _unfit(value: Any, kind: str, message: str) -> ValidationError:
    details = InitErrorDetails(type=PydanticCustomError(f"{kind}_unfit", message), input=value)
    return ValidationError.from_exception_data(kind, [details])


def refuse_constants(payload: bytes) -> None:
    """NaN and Infinity are not JSON (RFC 8259), though the parser takes them."""
    if b"NaN" not in payload and b"Infinity" not in payload:
        return

    def refuse(constant: str) -> None:
        raise MalformedInputError(f"{constant} is not JSON")

    try:
        json.loads(payload, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise MalformedInputError(str(error)) from None

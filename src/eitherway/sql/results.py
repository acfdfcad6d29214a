"""A body's result, as the JSON that a marker keeps."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from functools import lru_cache, partial
from types import SimpleNamespace
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError, PydanticUndefinedAnnotation
from pydantic_core import PydanticSerializationError

from ..errors import ConfigurationError

RESULT_BYTES_MAX = 256 * 1024


class Result:
    """How the result of one body travels, by its return annotation; without one, as plain JSON."""

    def __init__(self, body: Callable[..., Any]) -> None:
        self._label = _label(body)
        self._adapter = self._adapter_of(body)

    def _adapter_of(self, body: Callable[..., Any]) -> TypeAdapter[Any]:
        try:
            return _adapter(_annotation(body))
        except NameError as error:
            raise ConfigurationError(
                f"{self._label}: its result's type {error.name!r} is not defined at module level"
            ) from None
        except (PydanticSchemaGenerationError, PydanticUndefinedAnnotation) as error:
            raise ConfigurationError(
                f"{self._label}: its result cannot be kept as JSON, return plain data or a model: "
                f"{error.message.partition(chr(10))[0]}"
            ) from None

    def encode(self, value: Any) -> tuple[str, Any]:
        """The JSON, and what it decodes to. `TypeError` or `ValueError` where it cannot be kept."""
        try:
            kept = self._dump(value)
            decoded = self._adapter.validate_json(kept)
        except (ValidationError, PydanticSerializationError) as error:
            raise TypeError(f"{self._label}: the result does not fit JSON: {_why(error)}") from None
        if len(kept) > RESULT_BYTES_MAX:
            raise ValueError(
                f"{self._label}: the result has {len(kept)} bytes, of {RESULT_BYTES_MAX} allowed"
            )
        return kept.decode(), decoded

    def decode(self, kept: str) -> Any:
        """What `encode` made. `TypeError` where the body has another type by now."""
        try:
            return self._adapter.validate_json(kept)
        except ValidationError as error:
            raise TypeError(
                f"{self._label}: the stored result does not fit its type: {_why(error)}"
            ) from None

    def _dump(self, value: Any) -> bytes:
        try:
            return self._adapter.dump_json(value, by_alias=True, round_trip=True, warnings="error")
        except PydanticSerializationError:
            pass  # not of the annotated type; it may still convert, like a dict for a model
        value = self._adapter.validate_python(value)
        return self._adapter.dump_json(value, by_alias=True, round_trip=True)


def _why(error: ValidationError | PydanticSerializationError) -> str:
    return error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)


def _label(body: Callable[..., Any]) -> str:
    return getattr(_function(body), "__qualname__", repr(body))


def _function(body: Callable[..., Any]) -> Callable[..., Any]:
    function = body
    while isinstance(function, partial):
        function = function.func
    unwrapped: Callable[..., Any] = inspect.unwrap(function)
    return unwrapped


def _annotation(body: Callable[..., Any]) -> Any:
    """The return annotation alone: the others may name what is not there at run time."""
    function = _function(body)
    if not inspect.isroutine(function):
        function = type(function).__call__
    found = getattr(function, "__annotations__", {})
    if "return" not in found:
        return Any
    alone = SimpleNamespace(__annotations__={"return": found["return"]})
    names = getattr(function, "__globals__", {})
    return typing.get_type_hints(alone, globalns=names, include_extras=True)["return"]


def _adapter(annotation: Any) -> TypeAdapter[Any]:
    try:
        return _kept_adapter(annotation)
    except TypeError:  # not hashable
        return TypeAdapter(annotation)


_kept_adapter = lru_cache(maxsize=256)(TypeAdapter)

"""Results as the type that was asked for."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from .errors import UnexpectedResultError

T = TypeVar("T")


class Results(Generic[T]):
    """Reads results. Without a type: what JSON has, lists and dictionaries."""

    def __init__(self, result: type[T] | TypeAdapter[T] | None) -> None:
        self._adapter: TypeAdapter[Any] = (
            result if isinstance(result, TypeAdapter) else TypeAdapter(result or Any)
        )

    def read(self, body: bytes) -> T:
        """The result, of an answer's body. `UnexpectedResultError`."""
        try:
            value: T = self._adapter.validate_json(body or b"null")
        except ValidationError as error:
            raise UnexpectedResultError(f"the result does not fit: {error}") from error
        return value

    def of_document(self, document: bytes) -> T:
        """The result in a job document."""
        # as JSON again, since what a type takes from JSON is more than what it takes from Python
        return self.read(to_json(from_json(document).get("result")))

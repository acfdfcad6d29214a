"""What is wrong with an input, as entries of a problem's `errors`."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError
from pydantic_core import ErrorDetails

_ERRORS_SHOWN = 100
_ERRORS_LISTED = 1_000


def location_errors(
    error: ValidationError, found: Sequence[ErrorDetails] | None = None
) -> list[dict[str, str]]:
    """What Pydantic found wrong, as entries of a problem's `errors`: the first 100, or a count."""
    found = found_in(error) if found is None else found
    if not found:
        return [entry(("",), f"{error.error_count()} values are wrong")]
    return [entry(("", *item["loc"]), item["msg"]) for item in found[:_ERRORS_SHOWN]]


def found_in(error: ValidationError) -> Sequence[ErrorDetails]:
    """Each single error; none, where they are so many that to list them takes seconds."""
    if error.error_count() > _ERRORS_LISTED:
        return ()
    return error.errors(include_url=False, include_context=False, include_input=False)


def entry(location: tuple[int | str, ...], detail: str) -> dict[str, str]:
    """One entry of a problem's `errors`; the pointer is a JSON Pointer (RFC 6901)."""
    steps = (str(step).replace("~", "~0").replace("/", "~1") for step in location)
    return {"pointer": "/".join(steps), "detail": detail}

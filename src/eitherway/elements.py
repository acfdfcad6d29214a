"""What one item of a batch handler is: the element types of its list and of its result."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Union

from .errors import ConfigurationError

_LISTS: tuple[Any, ...] = (list, Sequence, typing.List, typing.Sequence)  # noqa: UP006 - as annotated bare


def item_parameter(label: str, names: Sequence[str], hints: Mapping[str, Any]) -> tuple[str, Any]:
    """The one parameter of a batch handler (`names` has all but the context), and its element."""
    lists = {name: found for name in names if (found := _element(hints[name])) is not None}
    if len(lists) != 1:
        raise ConfigurationError(
            f"{label}: a batch handler takes one list of items, such as rows: list[Row], "
            f"not {len(lists)}"
        )
    for name in names:
        if name not in lists:
            raise ConfigurationError(
                f"{label}: {name!r} is no list, and a batch handler takes nothing beside its "
                "items and the Context: make it a field of the item"
            )
    ((name, (element,)),) = lists.items()
    return name, element


def refuse_path_parameters(label: str, in_path: frozenset[str]) -> None:
    """Raise `ConfigurationError` for a path that says something about one item."""
    if in_path:
        raise ConfigurationError(
            f"{label}: the path names {min(in_path)!r}, but a batch handler takes nothing beside "
            "its items: make it a field of the item"
        )


def result_element(label: str, annotation: Any) -> Any:
    """What one item's result is: an element of the returned list, exceptions left out."""
    if annotation is Any:
        return Any
    found = _element(annotation)
    if found is None:
        raise ConfigurationError(
            f"{label}: a batch handler returns a list with one result for each item, such as "
            f"list[Row], not {_shown(annotation)}"
        )
    return _without_exceptions(found[0])


def _element(annotation: Any) -> tuple[Any] | None:
    """The element type of a list type, in a tuple; None for anything else."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _element(typing.get_args(annotation)[0])
    if annotation in _LISTS:
        return (Any,)
    return (typing.get_args(annotation)[0],) if origin in _LISTS else None


def _without_exceptions(element: Any) -> Any:
    if typing.get_origin(element) not in (Union, types.UnionType):
        return Any if _is_exception(element) else element
    kept = tuple(member for member in typing.get_args(element) if not _is_exception(member))
    return Union[kept] if kept else Any  # noqa: UP007 - made at run time


def _is_exception(member: Any) -> bool:
    return inspect.isclass(member) and issubclass(member, BaseException)


def _shown(annotation: Any) -> str:
    return getattr(annotation, "__name__", None) or str(annotation)

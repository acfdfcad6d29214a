"""What a call counts under: the keys of its limits, and the group whose order it keeps.

Computed once, when the call is accepted.
"""

from __future__ import annotations

import inspect
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

from .codec import Binding
from .engine.values import Lane
from .errors import ConfigurationError, InvalidInputError
from .policy import Limit

logger = logging.getLogger("eitherway.execute")

Arguments = Mapping[str, Any]

KEY_BYTES_MAX = 512


@dataclass(frozen=True, slots=True)
class Counted:
    """The key of each keyed limit by its label; and the lane, should the call become a job."""

    keys: Mapping[str, str]
    lane: Lane | None = None


NOTHING = Counted({})


class KeyFunction:
    """A user's function of the handler's arguments, bound to one operation.

    Its parameters are named like the handler's; a single one of another name gets the body, or the
    handler's only argument.
    """

    def __init__(self, label: str, function: Callable[..., Any], binding: Binding) -> None:
        self._label = label
        self._function = function
        self._names = self._bind(binding)

    def _bind(self, binding: Binding) -> Mapping[str, str]:
        """The handler's name for each parameter of the function."""
        try:
            wanted = list(inspect.signature(self._function).parameters.values())
        except (TypeError, ValueError):  # something built in
            wanted = []
        known = [parameter.name for parameter in binding.parameters]
        needed = [one.name for one in wanted if one.default is one.empty]
        if needed and all(name in known for name in needed):
            return {name: name for name in needed}
        main = binding.body.name if binding.body is not None else None
        if main is None and len(known) == 1:
            main = known[0]
        if len(needed) == 1 and main is not None:
            return {needed[0]: main}
        raise ConfigurationError(
            f"{self._label} takes {', '.join(needed) or 'nothing'}, the handler "
            f"{', '.join(known) or 'nothing'}: name its parameters like the handler's"
        )

    def __call__(self, arguments: Arguments) -> Any:
        """What the function makes of a call. `InvalidInputError` where it raises."""
        given = {
            mine: arguments[theirs] for mine, theirs in self._names.items() if theirs in arguments
        }
        try:
            return self._function(*given.values()) if len(given) == 1 else self._function(**given)
        except Exception as error:
            logger.warning("%s raised", self._label, exc_info=error)
            raise InvalidInputError(
                f"{self._label} cannot be computed of this input ({type(error).__name__})"
            ) from error

    def text(self, arguments: Arguments) -> str:
        """The key as text: its JSON. `InvalidInputError` where that is none, or too long."""
        value = self(arguments)
        try:
            text = to_json(value).decode()
        except ValueError:
            raise InvalidInputError(
                f"{self._label} gives a {type(value).__name__}: give a text or a number"
            ) from None
        if len(text) > KEY_BYTES_MAX:
            raise InvalidInputError(
                f"{self._label} gives {len(text)} bytes, of {KEY_BYTES_MAX} allowed"
            )
        return text


class Keys:
    """The key functions of an operation."""

    def __init__(
        self,
        operation: str,
        binding: Binding,
        limits: Sequence[Limit],
        group: Callable[..., Any] | None,
    ) -> None:
        self._operation = operation
        self._group = None
        if group is not None:
            if not callable(group):
                raise ConfigurationError(
                    f"{operation}: group= is a function, such as lambda order: order.account"
                )
            self._group = KeyFunction(f"{operation}: the group", group, binding)
        self._limits: dict[str, tuple[Limit, KeyFunction]] = {}
        for limit in limits:
            if limit.key is not None:
                label = f"{operation}: the key of limit {limit.label!r}"
                self._limits[limit.label] = (limit, KeyFunction(label, limit.key, binding))

    def __bool__(self) -> bool:
        return bool(self._group or self._limits)

    def of(self, arguments: Arguments) -> Counted:
        """What a call with these arguments counts under. `InvalidInputError`."""
        if self._group is None and not self._limits:
            return NOTHING
        keys = {name: key.text(arguments) for name, (_, key) in self._limits.items()}
        return Counted(keys, self._lane(arguments, keys))

    def _lane(self, arguments: Arguments, keys: Mapping[str, str]) -> Lane | None:
        """The group's lane, else that of the keys.

        A lane of keys is as wide as what may run of them, so that the jobs of a key that has no
        room stand in no other's way.
        """
        if self._group is not None and self._group(arguments) is not None:
            name = f"{self._operation}/{self._group.text(arguments)}"
            return Lane(name=name, width=1, until="ended")
        if not keys:
            return None
        name = "|".join(f"{limit}={key}" for limit, key in sorted(keys.items()))
        limits = [limit for limit, _ in self._limits.values()]
        widths = [one.in_flight - one.reserved for one in limits if one.in_flight is not None]
        if widths:
            return Lane(name=name, width=min(widths), until="attempted")
        return Lane(
            name=name,
            width=max(2, math.ceil(min(limit.burst for limit in limits))),
            until="started",
        )

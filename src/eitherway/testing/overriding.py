"""What a test calls in place of an app's dependencies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..dependencies import Dependency
from ..errors import ConfigurationError
from ..registry import Operations
from ..resolving import Overrides


def overridden(
    operations: Operations, overrides: Mapping[Callable[..., Any], Callable[..., Any]]
) -> Overrides:
    """The overrides, by the keys of what they replace. `ConfigurationError` for one of nothing.

    One may take the `Context`, dependencies, and parameters of the operations that it is made for.
    """
    users: dict[Any, list[frozenset[str]]] = {}  # the parameters known where it is made
    for operation in operations:
        known = frozenset(parameter.name for parameter in operation.binding.parameters)
        for dependency in operation.binding.dependencies:
            users.setdefault(dependency.key, []).append(known)
    made: dict[Any, Dependency] = {}
    for replaced, replacement in overrides.items():
        name = getattr(replaced, "__qualname__", repr(replaced))
        dependency = Dependency.of(replacement, f"the override of {name}")
        if replaced not in users:
            raise ConfigurationError(f"overrides: no operation depends on {name}")
        takes = [dependency.needs, *(one.needs for one in dependency.needs.all_dependencies())]
        for needs in takes:
            for own in needs.own:
                if not all(own in known for known in users[replaced]):
                    raise ConfigurationError(
                        f"the override of {name} takes {own!r}, which no operation there has"
                    )
        made[replaced] = dependency
    return made

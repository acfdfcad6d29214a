"""What an app with callbacks runs beside its own operations; nothing of the extra without one."""

from __future__ import annotations

from ..clock import Clock
from ..engine.contract import Engine
from ..ids import Randomness
from ..registry import Operations
from ..settings import Settings


def with_callbacks(
    operations: Operations,
    engine: Engine,
    clock: Clock,
    randomness: Randomness,
    settings: Settings,
) -> Operations:
    """The operations and, where one has callbacks, those that deliver. `ConfigurationError`."""
    if not any(operation.callbacks for operation in operations):
        return operations
    from .operations import delivering  # noqa: PLC0415 - it needs the extra

    return Operations([*operations, *delivering(operations, engine, clock, randomness, settings)])
